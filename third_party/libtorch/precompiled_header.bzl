"""LibTorch's headers, compiled once for all our sources.

They are most of what a source of ours costs to compile. GCC and Clang take
NAME.h.gch in place of NAME.h if it was made with the same options, and read NAME.h
if not, so a source compiles either way.
"""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "CPP_COMPILE_ACTION_NAME")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _precompiled_header_impl(ctx):
    header = ctx.actions.declare_file(ctx.label.name + ".h")
    ctx.actions.write(header, "".join(["#include <%s>\n" % h for h in ctx.attr.headers]) if ctx.attr.enabled else "")
    files = [header]
    libraries = [dep[CcInfo] for dep in ctx.attr.deps]
    if ctx.attr.enabled:
        files.append(_compile(ctx, header, cc_common.merge_cc_infos(cc_infos = libraries).compilation_context))
    return [
        DefaultInfo(files = depset(files)),
        cc_common.merge_cc_infos(cc_infos = [
            CcInfo(compilation_context = cc_common.create_compilation_context(headers = depset(files))),
        ] + libraries),
    ]

def _compile(ctx, header, libraries):
    """The action that compiles `header` as the sources of cc_library are compiled."""
    compiled = ctx.actions.declare_file(ctx.label.name + ".h.gch")
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        source_file = header.path,
        output_file = compiled.path,
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + ctx.attr.copts + ["-x", "c++-header"],
        use_pic = cc_common.is_enabled(feature_configuration = features, feature_name = "supports_pic"),
        quote_include_directories = libraries.quote_includes,
        include_directories = libraries.includes,
        system_include_directories = libraries.system_includes,
        preprocessor_defines = libraries.defines,
    )
    arguments = cc_common.get_memory_inefficient_command_line(
        feature_configuration = features,
        action_name = CPP_COMPILE_ACTION_NAME,
        variables = variables,
    )
    ctx.actions.run(
        executable = cc_common.get_tool_for_action(
            feature_configuration = features,
            action_name = CPP_COMPILE_ACTION_NAME,
        ),
        arguments = arguments,
        env = cc_common.get_environment_variables(
            feature_configuration = features,
            action_name = CPP_COMPILE_ACTION_NAME,
            variables = variables,
        ),
        inputs = depset([header], transitive = [libraries.headers, toolchain.all_files]),
        outputs = [compiled],
        mnemonic = "PrecompileHeader",
        progress_message = "Precompiling LibTorch's headers",
    )
    return compiled

precompiled_header = rule(
    implementation = _precompiled_header_impl,
    attrs = {
        "copts": attr.string_list(doc = "Those of the sources that use it."),
        "deps": attr.label_list(providers = [CcInfo], doc = "The libraries that own the headers."),
        "enabled": attr.bool(doc = "If not, the header is empty, and each source includes what it names itself."),
        "headers": attr.string_list(),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
