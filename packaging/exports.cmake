# cmake "-DHEADERS=A;B;…" -DNODE=… -DOUTPUT=… -P exports.cmake: the linker's version script of libturnout.so: what the
# public headers declare, under the node NODE, and nothing else.
set(names "")
foreach(header ${HEADERS})
  file(READ ${header} text)
  string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" " " text "${text}")
  string(REGEX REPLACE "\\\\\n" " " text "${text}")
  string(REGEX REPLACE "(^|\n)#[^\n]*" "\n" text "${text}") # macros call what is not theirs to declare
  string(REGEX REPLACE "extern [^;(]*[ *](tn_[a-z0-9_]+)(\\[[^;]*\\])?;" "\\1(" text "${text}") # data, one a declaration
  string(REGEX MATCHALL "tn_[a-z0-9_]+[ \n]*\\(" found "${text}")
  list(APPEND names ${found})
endforeach()
list(TRANSFORM names REPLACE "[ \n]*\\($" "")
list(SORT names)
list(REMOVE_DUPLICATES names)
list(JOIN names ";\n    " names)
file(WRITE ${OUTPUT} "${NODE} {\n  global:\n    ${names};\n  local:\n    *;\n};\n")
