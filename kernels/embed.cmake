# cmake -DINPUT=f.cl -DNAME=op -DOUTPUT=f.c -P embed.cmake: turns a file into a C array, byte for byte.
file(READ "${INPUT}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}"
  "/* made from ${NAME}.cl by embed.cmake */\nconst unsigned char tn_kernel_bytes_${NAME}[] = {\n${bytes}\n0x00};\n"
  "const unsigned long tn_kernel_size_${NAME} = sizeof tn_kernel_bytes_${NAME} - 1;\n")
