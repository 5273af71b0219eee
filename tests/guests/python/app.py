"""What the host calls: a class for each interface that is exported, as componentize-py wants it.
Resources are looked for in modules that are named like the interface: home.py and store.py."""

import pathlib

import home
import store

# Read while the component is built, and kept in it.
DESCRIPTION = pathlib.Path(__file__).with_name("describe.json").read_text()


class Describe:
    def describe(self):
        return DESCRIPTION


class Home:
    def check(self, config):
        return home.check(config)

    def discover(self, config):
        return home.discover(config)

    def splits(self, config, entity, request):
        return home.splits(config, request)

    def open(self, config, entity, split, resume):
        return home.Reader(split, resume)

    def acknowledge(self, config, entity, position):
        return None


class Store:
    def check(self, config):
        return store.check(config)

    def inspect(self, config, entity, memory):
        return store.inspect(config, entity, memory)

    def begin(self, config, target):
        return store.begin(config, target)

    def open_writer(self, config, target, begun, split, attempt):
        return store.Writer(config, target, split, attempt)

    def commit(self, config, known, receipts):
        return store.commit(config, known, receipts)

    def abort(self, config, known, receipts):
        store.abort(receipts)

    def cleanup(self, config, entity, runs):
        store.cleanup(config, runs)
