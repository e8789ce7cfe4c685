"""Locust: 80 % of the users chat, 20 % lurk. A check that fails is a failed request, and Locust ends with 1.

    scripts/loadtest/run.sh        # make load-test
    locust -f scripts/loadtest/locustfile.py --host http://127.0.0.1:8080
"""

import random
import time

from locust import User, constant, events, runners, task

from session import Broken, Moved, Session

# Users start to talk at a random moment of this, so that they do not keep step.
FIRST_SECONDS = 2

# Debian's 2.12 does not know its version, and a leader takes no worker without one.
runners.__version__ = runners.__version__ or "unknown"


class Talker(User):
    abstract = True
    wait_time = constant(0)  # it listens while it waits, see talk
    pause = (0, 0)

    def on_start(self):
        host = self.host.rstrip("/")
        self.session = Session("ws" + host[4:] if host.startswith("http") else host, self.refused)
        self.reconnect("connect")
        self.listen(random.uniform(0, FIRST_SECONDS))

    def on_stop(self):
        self.session.close()

    @task
    def talk(self):
        self.measured("message", lambda: self.session.ask("hello"))
        self.listen(random.uniform(*self.pause))

    def listen(self, seconds):
        """A connection that ends meanwhile is resumed, and the waiting goes on."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.measured("listen", lambda: self.session.listen(left), quiet=True)

    def reconnect(self, name):
        self.session.close()
        self.measured(name, self.session.connect)

    def measured(self, name, act, quiet=False):
        """Runs act and reports it; after the end of the connection, or a failure, the session is resumed."""
        started = time.monotonic()
        try:
            act()
        except Moved:
            self.reconnect("resume")
            return
        except (Broken, ValueError) as error:
            self.report(name, started, error)
            self.start_over()
            return
        if not quiet:
            self.report(name, started)

    def start_over(self):
        """What is broken once would be told again with every reply: a new session."""
        self.session.close()
        self.session = Session(self.session.url.partition("/ws/")[0], self.refused)
        self.reconnect("connect")

    def refused(self, _why):
        self.report("refused, tried again", time.monotonic())

    def report(self, name, started, error=None):
        self.environment.events.request.fire(
            request_type="WS",
            name=name,
            response_time=(time.monotonic() - started) * 1000,
            response_length=0,
            context={},
            exception=error,
        )


class Chatter(Talker):
    weight = 80
    pause = (2, 10)


class Lurker(Talker):
    weight = 20
    pause = (30, 120)


@events.init.add_listener
def watch_the_crowd(environment, **_):
    """A run in which not all users came, or nothing was acknowledged, has shown nothing: it ends with 1."""
    if isinstance(environment.runner, runners.WorkerRunner) or environment.runner is None:
        return
    complete = []
    environment.events.spawning_complete.add_listener(lambda user_count, **_: complete.append(user_count))

    def judge(environment, **_):
        replies = environment.stats.entries.get(("message", "WS"))
        if environment.web_ui is None and (not complete or not replies or replies.num_requests == 0):
            print("the users did not all come, or nothing was acknowledged")
            environment.process_exit_code = 1

    environment.events.quitting.add_listener(judge)
