"""Bazel's rule sets as Debian installs them under /usr/share/bazel."""

def _debian_rules_impl(ctx):
    source = ctx.path(ctx.attr.path)
    if not source.exists:
        fail("%s: %s does not exist. Run tools/setup.sh, or install the package %s." % (
            ctx.name,
            ctx.attr.path,
            ctx.attr.package,
        ))
    for entry in source.readdir():
        ctx.symlink(entry, entry.basename)

debian_rules = repository_rule(
    implementation = _debian_rules_impl,
    attrs = {
        "package": attr.string(mandatory = True),
        "path": attr.string(mandatory = True),
    },
    configure = True,
    local = True,
)
