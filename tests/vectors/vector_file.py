"""The command line of the scripts that make the vectors."""

import argparse
import json
import sys

import botocore


def run(description, path, vectors):
    """Write the vectors, or with --check only compare the file with them; the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help=f"compare {path.name} with what botocore makes")
    arguments = parser.parse_args()
    made = (json.dumps(vectors(), indent=2, ensure_ascii=False) + "\n").encode()
    if not arguments.check:
        path.write_bytes(made)
    elif path.read_bytes() != made:
        print(f"{path.name} differs from what botocore {botocore.__version__} makes", file=sys.stderr)
        return 1
    return 0
