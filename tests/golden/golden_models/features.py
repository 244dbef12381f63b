"""Features of a family, as changes that take them away: change(config, state) edits both in place."""


def without(pattern, value):
    """A feature taken away by setting every parameter whose name contains `pattern` to `value`."""

    def change(config, state):
        hits = [name for name in state if pattern in name]
        assert hits, pattern
        for name in hits:
            state[name].fill_(value)

    return change


def configured(**changes):
    """A feature taken away by other fields in config.json."""
    return lambda config, state: config.update(changes)
