"""Compiler warnings of all our code; .bazelrc makes them errors."""

COPTS = [
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wunused",
]

# For code with at::parallel_for, a template that runs on one thread unless the
# file that uses it is compiled so; both copts and linkopts.
OPENMP = ["-fopenmp"]
