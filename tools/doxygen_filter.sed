# "// text" at the beginning of a line documents what follows it; after code it
# documents what is before it.
s,^([[:space:]]*)//([^/!]|$),\1///\2,
s,^([[:space:]]*[^/[:space:]][^"]*[^:"/])//([^/!]),\1///<\2,
