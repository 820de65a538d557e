# SPDX-License-Identifier: Apache-2.0
"""A tmux session, with a shell and with an editor that has unsaved text."""

from kept.base import Kept
from suite import expect

NOTE = "/root/note"
SIZE = "30 100"

PROCESSES = ("ps -t $(tmux list-panes -a -F '#{pane_tty}' | paste -sd,) -o pid,pgid,sid,tpgid,stat,pending,blocked,args;"
             " for pid in $(pgrep -x 'tmux: server|vi|vim.*|sh'); do echo $pid; cat /proc/$pid/syscall /proc/$pid/stack;"
             " done; ttylook $(pgrep -x 'tmux: server|vi|vim.*'); for tty in $(tmux list-panes -a -F '#{pane_tty}'); do stty -a -F $tty; done")


class Tmux(Kept):
    """tmux, started by `segue run --forking`."""
    name = "tmux"
    units = ("tmux.service",)

    def __init__(self, node):
        super().__init__(node)
        self.swaps = 0

    def keys(self, pane, *keys):
        self.node.exec("tmux", "send-keys", "-t", f"work:{pane}", *keys)

    def screen(self, pane):
        return self.node.output("tmux", "capture-pane", "-p", "-t", f"work:{pane}")

    def wait_screen(self, pane, text):
        try:
            self.node.wait(f"{text!r} on the screen of {pane}", lambda: text in self.screen(pane))
        except Exception as error:
            raise AssertionError(f"{error}\nThe screen of {pane}:\n{self.screen(pane)}\n{self.processes()}") from None

    def processes(self):
        """What each process on a terminal waits for; and whether keys reach the editor at all, whatever mode it is in."""
        found = self.node.output(PROCESSES, check=False)
        self.keys("editor", "Escape", "a", "(reached)")
        try:
            self.node.wait("more keys to reach the editor", lambda: "(reached)" in self.screen("editor"), 10)
        except Exception:
            return f"{found}\nNo key reaches the editor"
        return f"{found}\nWith Escape, a, (reached) the editor shows {self.screen('editor').splitlines()[0]!r}"

    def start(self):
        self.node.segue("run", "--unit", "tmux", "--forking", "--", "tmux", "new-session", "-d", "-x", "100", "-y",
                        "30", "-s", "work", "-n", "shell")
        self.keys("shell", "MARK=kept; cd /var/tmp; stty size", "Enter")
        self.wait_screen("shell", SIZE)
        self.node.exec("tmux", "new-window", "-d", "-t", "work", "-n", "editor", "vi", NOTE)
        self.wait_screen("editor", "note")
        self.keys("editor", "i", "written before")
        self.wait_screen("editor", "written before")

    def check(self):
        self.swaps += 1
        self.wait_screen("editor", "written before")
        self.keys("editor", f" {self.swaps}")
        self.wait_screen("editor", f" {self.swaps}")
        self.keys("shell", f"clear; echo $MARK-{self.swaps} $PWD $$; stty size", "Enter")
        self.wait_screen("shell", f"kept-{self.swaps} /var/tmp")
        self.wait_screen("shell", SIZE)

    def end(self):
        if not self.swaps:
            return
        self.keys("editor", "Escape", ":wq", "Enter")
        wanted = "written before" + "".join(f" {number}" for number in range(1, self.swaps + 1))
        self.node.wait("the editor to save", lambda: self.node.read(NOTE))
        expect(self.node.read(NOTE) == wanted, f"the editor saved {self.node.read(NOTE)!r}, not {wanted!r}")
