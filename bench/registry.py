# SPDX-License-Identifier: ISC
"""registry - what a work is: a name, a count, the figures that it gives, and what they should be."""
import dataclasses

WORKS = {}


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number of a work. `target`: ("times", 7) at least so many times Postfix's; ("part", 0.1) at most
    that part of Postfix's; ("most", 16) at most that."""
    key: str
    title: str
    unit: str
    more: bool = False  # whether a larger one is the better one
    target: tuple = ()
    digits: int = 1

    def target_text(self):
        if not self.target:
            return ""
        kind, value = self.target
        return {"times": f"≥ {value:g} × Postfix", "part": f"≤ {value:.3g} × Postfix",
                "most": f"≤ {value:g} {self.unit}", "least": f"≥ {value:g} {self.unit}"}[kind]

    def met(self, ours, theirs):
        """True, False, or None where that cannot be said."""
        if not self.target or ours is None:
            return None
        kind, value = self.target
        if kind == "most":
            return ours <= value
        if kind == "least":
            return ours >= value
        if theirs is None or theirs == 0:
            return None
        return ours >= value * theirs if kind == "times" else ours <= value * theirs


@dataclasses.dataclass
class Work:
    name: str
    title: str
    count: int
    smoke: int  # the count of a smoke run
    figures: list
    run: object
    suites: tuple = ("postrider", "postfix")
    fetch: object = None  # called before all, while there is a network: brings other people's packages


def work(name, title, count, figures, smoke=20, suites=("postrider", "postfix"), fetch=None, **arguments):
    """Declare a work; the function is called with (bench, kind, count, **arguments)."""
    def declare(function):
        def run(bench, kind, n):
            return function(bench, kind, n, **arguments)

        WORKS[name] = Work(name, title, count, smoke, figures, run, suites, fetch)
        return function
    return declare


def rate(target=(), unit="messages/s"):
    return Figure("rate", "rate, end to end", unit, more=True, target=target)


def cpu(target=(), unit="ms/message"):
    return Figure("cpu", "CPU", unit, target=target, digits=3)


PSS = Figure("pss", "memory (PSS)", "kB", digits=0)
EVERYBODY = ("postrider", "postfix", "exim", "opensmtpd")
