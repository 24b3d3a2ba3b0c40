"""Stands in for @remote_coverage_tools.

Bazel resolves it for every test, although only `bazel coverage` runs it, and
would download it. Its two programs here do nothing.
"""

_BUILD = """
package(default_visibility = ["//visibility:public"])

sh_binary(
    name = "coverage_report_generator",
    srcs = ["nothing.sh"],
)

sh_binary(
    name = "lcov_merger",
    srcs = ["nothing.sh"],
)
"""

def _no_coverage_tools_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = \"remote_coverage_tools\")\n")
    ctx.file("BUILD", _BUILD)
    ctx.file("nothing.sh", "#!/bin/sh\nexit 0\n")

no_coverage_tools = repository_rule(implementation = _no_coverage_tools_impl)
