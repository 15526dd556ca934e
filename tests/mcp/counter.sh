#!/bin/sh
# Odd lines to stdout, even ones to stderr: ten at once, ten more when a line comes in on stdin, then exit code 7.
count() {
    while [ "$1" -le "$2" ]; do
        if [ $(($1 % 2)) = 1 ]; then echo "line $1"; else echo "line $1" >&2; fi
        set -- $(($1 + 1)) "$2"
    done
}
count 1 10
read -r go
count 11 20
exit 7
