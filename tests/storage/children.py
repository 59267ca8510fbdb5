"""Child processes and the messages that they send."""


def start(processes, target, *arguments):
    """Start a process that gets a pipe as its last argument; return it and the receiving end."""
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=target, args=(*arguments, sender), daemon=True)
    process.start()
    sender.close()
    return process, receiver


def received(receiver):
    """Return all messages that a process sends until it ends."""
    messages = []
    while True:
        try:
            messages.append(receiver.recv())
        except EOFError:
            return messages


def race(processes, target, arguments):
    """Start a process for each tuple of arguments, let all begin at once, and return them and the message of each."""
    barrier = processes.Barrier(len(arguments))
    started = [start(processes, target, *each, barrier) for each in arguments]
    messages = [receiver.recv() for _, receiver in started]
    for process, _ in started:
        process.join()
    return [process for process, _ in started], messages
