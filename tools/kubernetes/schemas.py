#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unpack the strict Kubernetes schemas of the PyPI wheel kubernetes-validate for kubeconform.

usage: schemas.py WHEEL OUT VERSION...        e.g. schemas.py k.whl build/schemas 1.28 1.29 1.33 1.37

Each file of the wheel names itself by an https $id and points at "/api/_definitions.json", so that
kubeconform would go to the network and report "could not find schema". Without $id and with a
relative reference it stays in the folder.
"""
import json
import pathlib
import sys
import zipfile


def main(wheel: str, out: str, versions: list[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for version in versions:
            mark = f"/v{version}.0-local-strict/"
            files = [name for name in names if mark in name and name.endswith(".json")]
            if not files:
                sys.exit(f"schemas.py: {wheel} has no schemas of Kubernetes {version}")
            folder = pathlib.Path(out, f"v{version}.0")
            folder.mkdir(parents=True, exist_ok=True)
            for name in files:
                text = archive.read(name).decode().replace('"/api/_definitions.json#', '"_definitions.json#')
                schema = json.loads(text)
                schema.pop("$id", None)
                (folder / pathlib.PurePath(name).name).write_text(json.dumps(schema))
            print(f"{folder}: {len(files)} schemas")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
