"""LibTorch: Debian's libtorch-dev, or the folder that the environment variable LIBTORCH names.

The folder may be the official zip, unpacked, or the `torch` folder of the Python
package: it has include/ and lib/.
"""

_DEBIAN_API = "/usr/include/torch/csrc/api/include"

def _version(ctx, include):
    """The version of the LibTorch whose headers are in the folder `include`."""
    header = include + "/torch/csrc/api/include/torch/version.h"
    text = ctx.read(header)

    # Newer releases only include the file that has the numbers.
    moved = include + "/torch/headeronly/version.h"
    if "#define TORCH_VERSION_MAJOR" not in text and ctx.path(moved).exists:
        header = moved
        text = ctx.read(header)
    parts = []
    for part in ["MAJOR", "MINOR", "PATCH"]:
        key = "#define TORCH_VERSION_%s " % part
        if key not in text:
            fail("libtorch: %s does not define TORCH_VERSION_%s; LibTorch 1.13 or newer is needed." % (header, part))
        parts.append(text.split(key)[1].split("\n")[0].strip())
    if int(parts[0]) < 1 or (int(parts[0]) == 1 and int(parts[1]) < 13):
        fail("libtorch: version %s is too old; 1.13 or newer is needed." % ".".join(parts))
    return ".".join(parts)

def _debian(ctx):
    if not ctx.path(_DEBIAN_API + "/torch/torch.h").exists:
        fail("libtorch: %s/torch/torch.h does not exist. Run tools/setup.sh, install the package libtorch-dev, " % _DEBIAN_API +
             "or set LIBTORCH to the folder of another LibTorch (it holds include/ and lib/).")
    ctx.symlink(_DEBIAN_API, "api")
    return struct(
        version = _version(ctx, "/usr/include"),
        includes = ["api"],
        headers = ["api/**"],
        linkopts = ["-ltorch", "-ltorch_cpu", "-lc10"],
    )

def _folder(ctx, folder):
    if not folder.startswith("/") or " " in folder:
        fail("libtorch: LIBTORCH=%s must be an absolute path without spaces." % folder)
    for need in ["include/torch/csrc/api/include/torch/torch.h", "lib/libtorch_cpu.so", "lib/libc10.so"]:
        if not ctx.path(folder + "/" + need).exists:
            fail("libtorch: LIBTORCH=%s has no %s. It must be the folder of an unpacked LibTorch, with include/ and lib/." % (folder, need))
    cmake = folder + "/share/cmake/Torch/TorchConfig.cmake"
    if ctx.path(cmake).exists and "_GLIBCXX_USE_CXX11_ABI=0" in ctx.read(cmake):
        fail("libtorch: LIBTORCH=%s is built with the old C++ ABI, which Debian's libraries do not link with. " % folder +
             "Take the download named 'cxx11 ABI', or LibTorch 2.6 or newer.")
    ctx.symlink(folder + "/include", "include")
    ctx.symlink(folder + "/lib", "lib")
    linkopts = ["-L" + folder + "/lib", "-Wl,-rpath," + folder + "/lib", "-ltorch", "-ltorch_cpu", "-lc10"]
    if ctx.path(folder + "/lib/libtorch_cuda.so").exists:
        # Nothing refers to the CUDA library by name: it registers itself when loaded.
        linkopts += ["-Wl,--push-state,--no-as-needed", "-ltorch_cuda", "-lc10_cuda", "-Wl,--pop-state"]
    return struct(
        version = _version(ctx, folder + "/include"),
        includes = ["include/torch/csrc/api/include", "include"],
        headers = ["include/**"],
        linkopts = linkopts,
    )

def _libtorch_impl(ctx):
    folder = ctx.os.environ.get("LIBTORCH", "").rstrip("/")
    found = _folder(ctx, folder) if folder else _debian(ctx)
    ctx.template("BUILD.bazel", ctx.attr._build_file, substitutions = {
        "%{headers}": repr(found.headers),
        "%{includes}": repr(found.includes),
        "%{linkopts}": repr(found.linkopts),
        "%{version}": found.version,
    })

libtorch = repository_rule(
    implementation = _libtorch_impl,
    attrs = {
        "_build_file": attr.label(
            default = Label("//third_party/libtorch:libtorch.BUILD"),
            allow_single_file = True,
        ),
    },
    configure = True,
    environ = ["LIBTORCH"],
    local = True,
)
