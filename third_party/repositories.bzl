"""Every dependency of the project. Nothing is downloaded: the sources are Debian's packages."""

load("//third_party/bazel:debian_rules.bzl", "debian_rules")
load("//third_party/bazel:no_coverage_tools.bzl", "no_coverage_tools")
load("//third_party/libtorch:libtorch.bzl", "libtorch")
load("//third_party/rules_cc:rules_cc.bzl", "mended_rules_cc")
load("//third_party:system_library.bzl", "system_library")

def lipschitz_repositories():
    """Declares the repositories that are not declared yet."""
    existing = native.existing_rules()

    # Bazel's own needs.
    if "rules_cc" not in existing:
        mended_rules_cc(name = "rules_cc")
    if "rules_java" not in existing:
        debian_rules(name = "rules_java", path = "/usr/share/bazel/rules/java", package = "bazel-rules-java")
    if "rules_proto" not in existing:
        debian_rules(name = "rules_proto", path = "/usr/share/bazel/rules/proto", package = "bazel-rules-proto")
    if "bazel_skylib" not in existing:
        debian_rules(name = "bazel_skylib", path = "/usr/share/bazel/tools/skylib", package = "bazel-skylib")
    if "platforms" not in existing:
        debian_rules(name = "platforms", path = "/usr/share/bazel/tools/platforms", package = "bazel-platforms")
    if "remote_coverage_tools" not in existing:
        no_coverage_tools(name = "remote_coverage_tools")

    # Libraries.
    if "libtorch" not in existing:
        libtorch(name = "libtorch")
    if "abseil" not in existing:
        system_library(
            name = "abseil",
            build_file = Label("//third_party/abseil:abseil.BUILD"),
            header = "absl/status/statusor.h",
            # Of its own since 2023; before, part of absl_throw_delegate.
            optional_libraries = ["absl_string_view"],
            package = "libabsl-dev",
        )
    if "gflags" not in existing:
        system_library(
            name = "gflags",
            build_file = Label("//third_party/gflags:gflags.BUILD"),
            header = "gflags/gflags.h",
            package = "libgflags-dev",
        )
    if "googletest" not in existing:
        system_library(
            name = "googletest",
            build_file = Label("//third_party/googletest:googletest.BUILD"),
            header = "gmock/gmock.h",
            package = "libgmock-dev",
        )
    if "benchmark" not in existing:
        system_library(
            name = "benchmark",
            build_file = Label("//third_party/benchmark:benchmark.BUILD"),
            header = "benchmark/benchmark.h",
            package = "libbenchmark-dev",
        )
    if "highway" not in existing:
        system_library(
            name = "highway",
            build_file = Label("//third_party/highway:highway.BUILD"),
            header = "hwy/highway.h",
            package = "libhwy-dev",
        )
    if "lemon" not in existing:
        system_library(
            name = "lemon",
            build_file = Label("//third_party/lemon:lemon.BUILD"),
            header = "lemon/network_simplex.h",
            package = "liblemon-dev",
        )
    if "nlohmann_json" not in existing:
        system_library(
            name = "nlohmann_json",
            build_file = Label("//third_party/nlohmann_json:nlohmann_json.BUILD"),
            header = "nlohmann/json.hpp",
            package = "nlohmann-json3-dev",
        )
    if "zlib" not in existing:
        system_library(
            name = "zlib",
            build_file = Label("//third_party/zlib:zlib.BUILD"),
            header = "zlib.h",
            package = "zlib1g-dev",
        )
