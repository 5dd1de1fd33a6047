#!/bin/sh
# nvidia_tools.sh FOLDER: NVIDIA's assembler and its disassembler from PyPI (52 MB, ptxas and nvdisasm), into FOLDER/bin.
# No card, no driver and no CUDA is needed to run them.
set -eu
mkdir -p "$1/wheels"
folder=$(cd "$1" && pwd)
python3 -m pip download -q --no-deps -d "$folder/wheels" nvidia-cuda-nvcc nvidia-cuda-nvdisasm
for wheel in "$folder"/wheels/*.whl; do
  python3 -m zipfile -e "$wheel" "$folder/unpacked"
done
mkdir -p "$folder/bin.new"
for name in ptxas nvdisasm; do
  found=$(find "$folder/unpacked" -path "*/bin/$name" | head -n 1)
  [ -n "$found" ] || { echo "nvidia_tools: these packages hold no $name"; exit 1; }
  mv "$found" "$folder/bin.new/"
done
chmod +x "$folder"/bin.new/*
rm -rf "$folder/wheels" "$folder/unpacked"
mv "$folder/bin.new" "$folder/bin" # last: this folder says that all is there
