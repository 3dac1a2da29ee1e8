"""Keeps one copy of a model in memory and runs a user's scoring script for Hotswap's gateway.

    python3 -u worker.py --socket PATH

The script is AZUREML_ENTRY_SCRIPT below AML_APP_ROOT. It is imported and its init() called before
the socket is made, so a socket that takes connections means a model that is ready. If either
fails, its traceback is on stderr and the exit status is 3. SIGTERM: the requests that have
arrived are answered, then the exit status is 0.

Each connection carries one request at a time, in frames: kind (1 byte), request id (8), length of
the payload (4), payload; numbers are big-endian. Ids count from 1 on each connection and are never
used again. The worker greets with a HELLO (id 0): protocol version and a name of this process,
a line each. A request is HEAD, any number of DATA, END; so is its answer.

    HEAD of a request: method, path, query, then "Name:value" for each header, a line each
    HEAD of an answer: status, then "Name:value" for each header, a line each

Anything else on a connection means that its two ends disagree about what was asked. Then the
worker ends with status 4 rather than answer the wrong request.

What a script may expect (init, run, request_headers, AMLResponse, rawhttp, input_schema) follows
Microsoft's azureml-inference-server-http 1.5.
"""

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import json
import logging
import os
import selectors
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from urllib.parse import parse_qsl, unquote

PROTOCOL = 1
SERVER = "hotswap-worker/1"
EXIT_SCRIPT, EXIT_PROTOCOL = 3, 4

HELLO, HEAD, DATA, END = 1, 2, 3, 4
FRAME = struct.Struct("!BQI")
LIMITS = {HEAD: 2 << 20, DATA: 1 << 20, END: 0}  # of a payload, as in package frame
MAX_BODY = 256 << 20  # of a request or an answer, as in package frame

JSON = "application/json"
HTML = "text/html; charset=utf-8"
SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
RESULT_UNFIT = "An unexpected internal error occurred. Check the logs for more info."
RAN, FAILED = "X-Ms-Run-Fn-Exec-Ms", "X-Ms-Run-Function-Failed"


class ProtocolError(Exception):
    """The gateway sent what the protocol does not allow."""


class BadRequest(Exception):
    """The client sent what the scoring script does not take."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Headers(dict):
    """Request headers by their canonical names (Content-Type); found by any case."""

    def __init__(self, lines):
        super().__init__(line.split(":", 1) for line in lines)
        self._names = {name.lower(): name for name in self}

    def _name(self, name):
        return self._names.get(name.lower(), name)

    def __getitem__(self, name):
        return super().__getitem__(self._name(name))

    def __contains__(self, name):
        return super().__contains__(self._name(name))

    def get(self, name, default=None):
        return super().get(self._name(name), default)


class AMLRequest:
    """A request as run() gets it under @rawhttp: the part of Flask's that needs no Flask."""

    def __init__(self, head, body):
        self.method, path, self.query_string, *self._lines = head.decode("latin-1").split("\n")
        self.path = unquote(path)
        self.data = body

    @property
    def headers(self):
        return Headers(self._lines)

    @property
    def args(self):
        """The query as a dict; of a name that is there twice, the first value, as in Flask."""
        return dict(reversed(parse_qsl(self.query_string, keep_blank_values=True)))

    def get_data(self, as_text=False):
        return self.data.decode("utf-8") if as_text else self.data

    def get_json(self):
        return json.loads(self.data)


class AMLResponse:
    """An answer whose status and headers the script chooses."""

    def __init__(self, message, status_code, response_headers=None, json_str=False):
        if message is None:
            message, json_str = {}, True
        if json_str:
            message = json.dumps(message)
        self.data = message.encode("utf-8") if isinstance(message, str) else bytes(message)
        self.status_code = int(status_code)
        self.headers = {"Content-Type": JSON if json_str else HTML}
        self.headers.update(response_headers or {})

    def get_data(self):
        return self.data


def rawhttp(run):
    """Marks a run() that wants the AMLRequest instead of the body's text."""
    run.raw_http = True
    return run


# --- the modules that scripts import those names from ---------------------------------------

SHIMS = {
    "azureml_inference_server_http.api.aml_response": {"AMLResponse": AMLResponse},
    "azureml_inference_server_http.api.aml_request": {"AMLRequest": AMLRequest, "rawhttp": rawhttp},
    "azureml.contrib.services.aml_response": {"AMLResponse": AMLResponse},
    "azureml.contrib.services.aml_request": {"AMLRequest": AMLRequest, "rawhttp": rawhttp},
}
SHIM_PARENTS = {name.rsplit(".", n)[0]: {} for name in SHIMS for n in (1, 2, 3) if name.count(".") >= n}


class Shims(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules that are made here: name of the module -> what it holds."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        if name not in self.modules:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=name in SHIM_PARENTS)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        vars(module).update(self.modules[module.__name__])


def install_shims():
    """Puts our classes in the place of Microsoft's; their packages come from us if they are missing."""
    sys.meta_path.insert(0, Shims(SHIMS))
    sys.meta_path.append(Shims(SHIM_PARENTS))


# --- the scoring script ---------------------------------------------------------------------


def import_script(path):
    spec = importlib.util.spec_from_file_location("entry_module", path)
    if spec is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["entry_module"] = module  # so that what it defines can be pickled
    spec.loader.exec_module(module)
    for name in ("init", "run"):
        if not callable(getattr(module, name, None)):
            raise ImportError(f"{path} has no function {name}()")
    return module


def takes_schema(run):
    """Whether run is decorated with @input_schema of package inference-schema."""
    util = sys.modules.get("inference_schema.schema_util")
    return util is not None and util.is_schema_decorated(run)


class Script:
    """The user's scoring script, imported and initialised."""

    def __init__(self, root, path):
        sys.path[0] = root  # instead of the folder of this program
        full = os.path.join(root, path)
        sys.path.insert(0, os.path.dirname(full))
        module = import_script(full)
        module.init()
        self.run = module.run
        names = list(inspect.signature(self.run).parameters)
        self.wants_headers = "request_headers" in names
        self.names = [name for name in names if name != "request_headers"]
        if not self.names:
            raise TypeError("run() takes no parameter for the input")
        self.raw = getattr(self.run, "raw_http", False)
        self.schema = takes_schema(self.run)
        if self.raw and self.schema:
            raise TypeError("run() cannot have both @rawhttp and @input_schema")

    def arguments(self, request):
        """What run() is called with, by name."""
        if self.raw:
            found = {self.names[0]: request}
        elif self.schema:
            found = self.fields(request)
        elif request.method == "GET":
            found = {self.names[0]: json.dumps(query_values(request))}
        else:
            found = {self.names[0]: body_text(request)}
        if self.wants_headers:
            found["request_headers"] = request.headers
        return found

    def fields(self, request):
        """The arguments of a run() with @input_schema: the keys of the JSON object that was sent."""
        if request.method == "GET":
            given = query_values(request)
        else:
            kind = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
            if kind != JSON:
                raise BadRequest(415, f"Expects Content-Type to be {JSON}")
            given = json_object(body_text(request))
        missing = [name for name in self.names if name not in given]
        if missing:
            raise BadRequest(400, f"Missing in the input: {', '.join(missing)}")
        return {name: given[name] for name in self.names}


def body_text(request):
    try:
        return request.data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(400, "Input request body should be encoded with utf-8.") from None


def json_object(text):
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadRequest(400, "Input request body should be a JSON object.")
    return value


def query_values(request):
    """The query of a GET: each value as JSON where it is JSON; a name that is there twice, a list."""
    values = {}
    for name, text in parse_qsl(request.query_string, keep_blank_values=True):
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


# --- answers --------------------------------------------------------------------------------


def answer(status, body=b"", kind=JSON, headers=None):
    """The head and the body of an answer."""
    fields = {"Content-Type": kind, "X-Ms-Server-Version": SERVER, FAILED: "False"}
    fields.update((name.title(), value) for name, value in (headers or {}).items())
    text = "\n".join([str(status), *[f"{name}:{value}" for name, value in fields.items()]])
    if text.count("\n") != len(fields) or "\r" in text:
        raise ValueError("a response header holds a line break")
    if len(body) > MAX_BODY:
        raise ValueError(f"the answer has {len(body)} bytes, more than {MAX_BODY}")
    head = text.encode("latin-1")
    if len(head) > LIMITS[HEAD]:
        raise ValueError(f"the answer's headers have {len(head)} bytes, more than {LIMITS[HEAD]}")
    return head, body


def message(status, text, headers=None):
    return answer(status, json.dumps({"message": text}).encode(), headers=headers)


def scored(result, milliseconds):
    """The answer that run()'s result stands for."""
    ran = {RAN: f"{milliseconds:.3f}"}
    if hasattr(result, "status_code") and hasattr(result, "get_data"):  # an AMLResponse, or Flask's
        ran[FAILED] = str(result.status_code >= 500)
        return answer(result.status_code, result.get_data(), headers={**dict(result.headers), **ran})
    return answer(200, json.dumps(result).encode("utf-8"), headers=ran)


class App:
    """Answers requests with one script; run() is never entered twice at a time."""

    def __init__(self, script, root):
        self.script = script
        self.root = root
        self.lock = threading.Lock()

    def answer(self, request):
        if request.path == "/score":
            return self.score(request)
        if request.path == "/":
            allowed, handle = ("GET",), lambda _: answer(200, b"Healthy", HTML)
        elif request.path == "/swagger.json":
            allowed, handle = ("GET",), self.swagger
        else:
            return message(404, "Not found")
        return handle(request) if request.method in allowed else message(405, "Method not allowed")

    def score(self, request):
        if request.method not in ("GET", "POST"):
            if request.method == "OPTIONS":
                return answer(200, kind=HTML, headers={"Allow": "GET, POST, OPTIONS"})
            return message(405, "Method not allowed")
        try:
            arguments = self.script.arguments(request)
        except BadRequest as error:
            return message(error.status, str(error))
        with self.lock:
            start = time.perf_counter()
            try:
                result = self.script.run(**arguments)
            except BaseException:  # sys.exit() in run() included: this is no main thread
                traceback.print_exc()
                return message(500, SCRIPT_FAILED, {FAILED: "True"})
            milliseconds = (time.perf_counter() - start) * 1000
            try:
                return scored(result, milliseconds)
            except Exception:  # no JSON, or an AMLResponse that is no HTTP
                traceback.print_exc()
                return message(500, RESULT_UNFIT)

    def swagger(self, request):
        version = request.args.get("version", "2")
        for name in {"2": ("swagger2.json", "swagger.json"), "3": ("swagger3.json",)}.get(version, ()):
            path = os.path.join(self.root, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    return answer(200, file.read())
        return message(404, f"Swagger version {version} is not there")


# --- connections ----------------------------------------------------------------------------


class Connection:
    """One connection of the gateway's: one request at a time."""

    def __init__(self, sock, app):
        self.sock = sock
        self.reader = sock.makefile("rb", 1 << 16)
        self.app = app

    def serve(self):
        """Answers requests until the gateway closes the connection, or the worker has to end."""
        try:
            hello = f"{PROTOCOL}\n{PROCESS}".encode()
            self.sock.sendall(FRAME.pack(HELLO, 0, len(hello)) + hello)
            number = 1
            while True:
                request = self.receive(number)
                self.send(number, *self.app.answer(request))
                number += 1
        except (EOFError, OSError):
            pass  # closed, be it in the middle of a request: there is no one to answer
        except ProtocolError as error:
            print(f"worker: the gateway broke the protocol: {error}", file=sys.stderr, flush=True)
            os._exit(EXIT_PROTOCOL)
        finally:
            self.reader.close()
            self.sock.close()

    def frame(self, number):
        header = self.reader.read(FRAME.size)
        if len(header) < FRAME.size:
            raise EOFError
        kind, found, size = FRAME.unpack(header)
        if found != number or size > LIMITS.get(kind, -1):
            raise ProtocolError(f"frame of kind {kind}, id {found}, {size} bytes while request {number} was due")
        payload = self.reader.read(size) if size else b""
        if len(payload) < size:
            raise EOFError
        return kind, payload

    def receive(self, number):
        kind, head = self.frame(number)
        if kind != HEAD:
            raise ProtocolError(f"request {number} begins with a frame of kind {kind}")
        if head.count(b"\n") < 2:
            raise ProtocolError(f"request {number} has no method, path and query")
        pieces, size = [], 0
        while True:
            kind, piece = self.frame(number)
            if kind == END:
                return AMLRequest(head, pieces[0] if len(pieces) == 1 else b"".join(pieces))
            size += len(piece)
            if kind != DATA or size > MAX_BODY:
                raise ProtocolError(f"request {number} goes on with kind {kind} after {size} bytes")
            pieces.append(piece)

    def send(self, number, head, body):
        most = LIMITS[DATA]
        if len(body) <= most:
            data = (FRAME.pack(DATA, number, len(body)), body) if body else ()
            parts = (FRAME.pack(HEAD, number, len(head)), head, *data, FRAME.pack(END, number, 0))
            self.sock.sendall(b"".join(parts))
            return
        self.sock.sendall(FRAME.pack(HEAD, number, len(head)) + head)
        view = memoryview(body)
        for start in range(0, len(body), most):
            piece = view[start : start + most]
            self.sock.sendall(FRAME.pack(DATA, number, len(piece)))
            self.sock.sendall(piece)
        self.sock.sendall(FRAME.pack(END, number, 0))


# Tells this process from one that serves on the same socket before or after it.
PROCESS = f"{os.getpid()}-{time.time_ns()}"


def listen(path):
    if os.path.lexists(path):
        os.unlink(path)  # a worker that was killed left it
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # the socket is for its owner alone
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen(64)
    return listener


def serve(listener, app, wake):
    """Gives each connection a thread until SIGTERM comes; then lets each end after its request."""
    connections = []
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if wake in ready and signal.SIGTERM in wake.recv(64):
                break
            if listener in ready:
                sock, _ = listener.accept()
                thread = threading.Thread(target=Connection(sock, app).serve, daemon=True)
                thread.start()
                connections = [(t, s) for t, s in connections if t.is_alive()] + [(thread, sock)]
    listener.close()
    for _, sock in connections:
        stop_reading(sock)
    for thread, _ in connections:
        thread.join()


def stop_reading(sock):
    """Makes the gateway's next write fail before its first byte, so that it asks another worker.

    What it has written is still read and answered: the kernel keeps it for us.
    """
    try:
        sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # it is closed


def main():
    parser = argparse.ArgumentParser(description="Serves a scoring script behind Hotswap's gateway.")
    parser.add_argument("--socket", required=True, help="path of the unix socket to listen on")
    path = parser.parse_args().socket
    root = os.environ.get("AML_APP_ROOT", ".")
    install_shims()
    try:
        logging.basicConfig(level=os.environ.get("AZUREML_LOG_LEVEL", "INFO").upper())  # what scripts log is seen
        script = Script(os.path.abspath(root), os.environ.get("AZUREML_ENTRY_SCRIPT", "score.py"))
    except BaseException:  # whatever stopped it, sys.exit() included
        traceback.print_exc()
        sys.exit(EXIT_SCRIPT)
    wake, alarm = socket.socketpair()
    wake.setblocking(False)
    alarm.setblocking(False)
    signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)  # the byte on wake does the work
    serve(listen(path), App(script, os.path.abspath(root)), wake)


if __name__ == "__main__":
    main()
