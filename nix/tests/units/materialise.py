#!/usr/bin/env python3
"""Puts what rendered units refer to into a root directory, without building anything.

usage: materialise.py ROOT STORE < rendered.json

Scripts and texts (writeShellScript, writeTextFile, formats.toml) are taken from the derivations in STORE that would
build them. Every other store path becomes a link: the programs under test to /opt/<name>, what nixpkgs has to /usr of
the container's own distribution.
"""

import json
import os
import re
import sys

PROGRAMS = ("op-stack-tools", "ec-op-stack", "ec-witness")


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), text, flags=re.S)


STRING = r'"((?:[^"\\]|\\.)*)"'


def derivations(store):
    """Output path → text of the derivation, for all in the store."""
    found = {}
    for name in os.listdir(store):
        if name.endswith(".drv"):
            with open(os.path.join(store, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            if output := re.search(r'\("out","([^"]+)"', text):
                found[output[1]] = text
    return found


def environment_of(text):
    # pairs of strings occur in a derivation's environment only
    found = {unescape(k): unescape(v) for k, v in re.findall(rf"\({STRING},{STRING}\)", text)}
    return json.loads(found["__json"]) if "__json" in found else found


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def write(path, text, executable):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755 if executable else 0o644)


class Root:
    def __init__(self, root, store):
        self.root, self.store, self.done = root, store, set()
        self.known = derivations(store)

    def place(self, text):
        """Puts every store path that the text names into the root, and what those name."""
        for path in set(re.findall(re.escape(self.store) + r"/[a-z0-9]{32}-[A-Za-z0-9+._?=-]+", text)):
            if path not in self.done:
                self.done.add(path)
                self.one(path)

    def one(self, path):
        environment = environment_of(self.known[path]) if path in self.known else {}
        name = path[len(self.store) + 34 :]
        if "text" in environment:
            target = path + environment.get("destination", "")
            write(self.root + target, environment["text"], environment.get("executable") in ("1", True))
            self.place(environment["text"])
        elif name.endswith(".toml") and "value" in environment:
            value = environment["value"]
            value = json.loads(value) if isinstance(value, str) else value
            write(self.root + path, "".join(f"{json.dumps(k)} = {toml(v)}\n" for k, v in value.items()), False)
        else:
            os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
            os.symlink(f"/opt/{name}" if name in PROGRAMS else "/usr", self.root + path)


def main():
    root, store = sys.argv[1], sys.argv[2].rstrip("/")
    rendered = json.load(sys.stdin)
    place = Root(root, store)
    for name, text in rendered["units"].items():
        write(f"{root}/etc/systemd/system/{name}", text, False)
        place.place(text)
        for target in set(rendered["wantedBy"][name]):
            wants = f"{root}/etc/systemd/system/{target}.wants"
            os.makedirs(wants, exist_ok=True)
            os.symlink(f"../{name}", f"{wants}/{name}")
    lines = [f"d {path} {d['mode']} {d['user']} {d['group']}\n" for path, d in sorted(rendered["directories"].items())]
    write(f"{root}/etc/tmpfiles.d/every-channel.conf", "".join(lines), False)
    write(f"{root}/etc/ec-op-stack/stack.json", rendered["stack"], False)
    place.place(rendered["stack"])
    users = "".join(f"u {name} {user['uid']}\n" for name, user in rendered["users"].items())
    write(f"{root}/etc/sysusers.d/every-channel.conf", users + "g every-channel 29000\n", False)
    print(f"{len(rendered['units'])} units, {len(place.done)} store paths")


main()
