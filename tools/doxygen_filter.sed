# "// text" on the first line describes the file; at the beginning of another
# line what follows it; after code what is before it.
1s,^//(.*),/// \\file\n///\1,
t
s,^([[:space:]]*)//([^/!]|$),\1///\2,
s,^([[:space:]]*[^/[:space:]][^"]*[^:"/])//([^/!]),\1///<\2,
