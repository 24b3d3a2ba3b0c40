"""Debian's rules_cc 0.0.4, mended for Debian's Bazel 4.2.3."""

_SOURCE = "/usr/share/bazel/rules/cc"

# These load use_cpp_toolchain, which Bazel has only since version 5.
_MENDED = [
    "cc/private/rules_impl/cc_flags_supplier.bzl",
    "cc/private/rules_impl/compiler_flag.bzl",
]

def _mended_rules_cc_impl(ctx):
    if not ctx.path(_SOURCE).exists:
        fail("%s: %s does not exist. Run tools/setup.sh, or install the package bazel-rules-cc." % (ctx.name, _SOURCE))
    copied = ctx.execute(["cp", "-rL", "--no-preserve=mode", _SOURCE + "/.", "."])
    if copied.return_code != 0:
        fail("%s: could not copy %s: %s" % (ctx.name, _SOURCE, copied.stderr))
    if native_has_use_cpp_toolchain(ctx):
        return
    for path in _MENDED:
        text = ctx.read(path)
        text = text.replace(", \"use_cpp_toolchain\"", "")
        text = text.replace("use_cpp_toolchain()", "[\"@bazel_tools//tools/cpp:toolchain_type\"]")
        ctx.file(path, text, executable = False)

def native_has_use_cpp_toolchain(ctx):
    """Whether this Bazel's own toolchain_utils.bzl defines use_cpp_toolchain."""
    return "def use_cpp_toolchain" in ctx.read(Label("@bazel_tools//tools/cpp:toolchain_utils.bzl"))

mended_rules_cc = repository_rule(
    implementation = _mended_rules_cc_impl,
    configure = True,
    local = True,
)
