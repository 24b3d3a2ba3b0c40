"""A library of the system: its headers are on the compiler's own search path, its objects on the linker's."""

_SEARCH_PATH = ["/usr/include", "/usr/local/include"]

def _system_library_impl(ctx):
    if not [d for d in _SEARCH_PATH if ctx.path(d + "/" + ctx.attr.header).exists]:
        fail("%s: <%s> is neither under %s. Run tools/setup.sh, or install the package %s." % (
            ctx.name,
            ctx.attr.header,
            " nor under ".join(_SEARCH_PATH),
            ctx.attr.package,
        ))

    # Bazel does not see files outside the workspace change. The version enters
    # every command line that uses the library, so that an upgraded package
    # (and `bazel sync --configure`) compiles its users again.
    version = "unknown"
    query = ctx.execute(["dpkg-query", "--show", "--showformat=${Version}", ctx.attr.package])
    if query.return_code == 0:
        version = query.stdout.strip()
    optional = []
    for library in ctx.attr.optional_libraries:
        # A folder per architecture, whose name only the shell's pattern spares us.
        found = ctx.execute(["sh", "-c", "ls /usr/lib/*/lib%s.so /usr/local/lib/lib%s.so" % (library, library)])
        if found.stdout.strip():
            optional.append("-l" + library)
    ctx.template("BUILD.bazel", ctx.attr.build_file, substitutions = {
        "%{optional_linkopts}": repr(optional),
        "%{version_define}": "SYSTEM_%s_VERSION=%s" % (
            ctx.attr.package.upper().replace("-", "_"),
            version,
        ),
    })

system_library = repository_rule(
    implementation = _system_library_impl,
    attrs = {
        "build_file": attr.label(mandatory = True, allow_single_file = True),
        "header": attr.string(mandatory = True, doc = "A header that must be there."),
        "optional_libraries": attr.string_list(
            doc = "Libraries that only some versions of the package have; those found become %{optional_linkopts}.",
        ),
        "package": attr.string(mandatory = True, doc = "Debian's package, named in the error."),
    },
    configure = True,
    local = True,
)
