#!/bin/sh
# Builds both libraries into FOLDER/lib, for build systems that use this source tree: CMakeLists.txt and meson.build.
#
#     build_into.sh FOLDER [VARIABLE=VALUE ...]
#
# make decides what has to be built anew. With COPY_TO=FOLDER among the variables, that folder gets copies, which change only
# if the libraries do.
set -eu
folder=$1
shift
mkdir -p "$folder"
# A make that calls this one has another Makefile, with variables of its own.
unset MAKEFLAGS MAKELEVEL MFLAGS
case $folder in
*[[:space:]]*)
    # make knows no names with spaces; so it gets another name of the same folder.
    alias=$(mktemp -d)
    trap 'rm -f "$alias/build" && rmdir "$alias"' EXIT
    ln -s "$folder" "$alias/build"
    folder=$alias/build
    ;;
esac
cd "$(dirname "$0")/.."
make --no-print-directory lib BUILD="$folder" "$@"

for argument in "$@"; do
    case $argument in
    COPY_TO=*)
        for name in liblambda_invoke.so liblambda_invoke.so.0 liblambda_invoke.a; do
            copy=${argument#COPY_TO=}/$name
            cmp -s "$folder/lib/$name" "$copy" || cp "$folder/lib/$name" "$copy"
        done
        ;;
    esac
done
