"""Programs that want a terminal."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


def in_terminal(*words, seconds=60, prompt=b"", typed=b"", **more):
    """Runs a program that wants a terminal in one of its own, and returns what it showed there; it is killed when its time is up.
    What is to be typed is, once the prompt is there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen([str(word) for word in words], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **more)
    os.close(slave)
    shown, end = b"", time.monotonic() + seconds
    try:
        while select.select([master], [], [], max(0, end - time.monotonic()))[0]:
            shown += os.read(master, 65536)
            if typed and prompt in shown:
                typed = typed[os.write(master, typed):]
    except OSError:  # the terminal has no other end any more: the program has gone
        pass
    finally:
        os.close(master)
        if child.poll() is None and time.monotonic() >= end:
            child.kill()
        child.wait(10)
    return shown
