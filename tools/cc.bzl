"""The rules by which every C++ target of this project is declared."""

load("//tools:copts.bzl", "COPTS")

def _with_defaults(torch = True, copts = [], deps = [], **kwargs):
    """Arguments of a cc_* rule with the warnings and, if `torch`, LibTorch's precompiled headers."""
    copts = COPTS + copts
    if torch:
        copts = copts + ["-include", "third_party/libtorch/precompiled.h"]
        deps = deps + ["//third_party/libtorch:precompiled"]
    return dict(kwargs, copts = copts, deps = deps)

def cc_library(**kwargs):
    """A static cc_library; torch = False says that nothing in it includes LibTorch, directly or not."""
    native.cc_library(linkstatic = True, **_with_defaults(**kwargs))

def cc_binary(**kwargs):
    """cc_binary, as above."""
    native.cc_binary(**_with_defaults(**kwargs))

def cc_test(**kwargs):
    """cc_test, as above."""
    native.cc_test(**_with_defaults(**kwargs))
