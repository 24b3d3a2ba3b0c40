"""The one way in which a test of this project is declared."""

load("//tools:cc.bzl", "cc_test")

def lipschitz_test(name, deps, **kwargs):
    """A GoogleTest program from `name`.cc; a small one unless said otherwise.

    Args:
      name: the target and the stem of its one source.
      deps: what it tests; GoogleTest comes by itself.
      **kwargs: passed on to cc_test.
    """
    cc_test(
        name = name,
        size = kwargs.pop("size", "small"),
        timeout = kwargs.pop("timeout", "moderate"),
        srcs = [name + ".cc"] + kwargs.pop("srcs", []),
        deps = deps + [
            "@googletest//:gtest",
            "@googletest//:gtest_main",
        ],
        **kwargs
    )
