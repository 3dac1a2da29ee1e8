"""Tests of worker.py as the gateway meets it: a real process and a real socket."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

FRAME = struct.Struct("!BQI")
HELLO, HEAD, DATA, END = 1, 2, 3, 4
HERE = os.path.dirname(os.path.abspath(__file__))
ECHO = "def init(): pass\ndef run(raw_data): return raw_data\n"


class Client:
    """The gateway's end of one connection."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.reader = self.sock.makefile("rb")
        self.hello = self.frame()
        self.number = 0

    def frame(self):
        header = self.reader.read(FRAME.size)
        if len(header) < FRAME.size:
            raise EOFError
        kind, number, size = FRAME.unpack(header)
        return kind, number, self.reader.read(size)

    def send(self, method, path, query="", headers=(), body=b"", piece=1 << 20):
        self.number += 1
        head = "\n".join([method, path, query, *headers]).encode("latin-1")
        self.sock.sendall(FRAME.pack(HEAD, self.number, len(head)) + head)
        for start in range(0, len(body), piece):
            data = body[start : start + piece]
            self.sock.sendall(FRAME.pack(DATA, self.number, len(data)) + data)
        self.sock.sendall(FRAME.pack(END, self.number, 0))

    def receive(self):
        kind, number, head = self.frame()
        assert (kind, number) == (HEAD, self.number), (kind, number)
        status, *lines = head.decode("latin-1").split("\n")
        body = b""
        while True:
            kind, number, data = self.frame()
            assert number == self.number, number
            if kind == END:
                return int(status), dict(line.split(":", 1) for line in lines), body
            body += data

    def ask(self, *args, **kwargs):
        self.send(*args, **kwargs)
        return self.receive()

    def close(self):
        self.reader.close()
        self.sock.close()


class WorkerTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.socket = os.path.join(self.root, "w.sock")
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))

    def start(self, script=ECHO, name="score.py"):
        self.write(name, script)
        env = dict(os.environ, AML_APP_ROOT=self.root, AZUREML_ENTRY_SCRIPT=name, PYTHONDONTWRITEBYTECODE="1")
        command = [sys.executable, "-u", os.path.join(HERE, "worker.py"), "--socket", self.socket]
        self.process = subprocess.Popen(
            command, cwd=self.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.addCleanup(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def connect(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                client = Client(self.socket)
                self.addCleanup(client.close)
                return client
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.fail(f"no worker: {self.process.stderr.read()}")
                time.sleep(0.01)

    def serve(self, script=ECHO, name="score.py"):
        self.start(script, name)
        return self.connect()

    def ended(self, status):
        """What a worker that ends by itself wrote on stdout and stderr."""
        out, err = self.process.communicate(timeout=20)
        self.assertEqual(self.process.returncode, status, err)
        return out, err


class ScoreTest(WorkerTest):
    def test_returned_values_become_json(self):
        client = self.serve("import json\ndef init(): pass\ndef run(raw_data): return eval(raw_data)\n")
        for text, want in {"'a'": '"a"', "[1, 2.5]": "[1, 2.5]", "None": "null", "{'k': 'é'}": '{"k": "\\u00e9"}'}.items():
            status, headers, body = client.ask("POST", "/score", body=text.encode())
            self.assertEqual((status, body.decode()), (200, want))
            self.assertEqual(headers["Content-Type"], "application/json")
            self.assertEqual(headers["X-Ms-Run-Function-Failed"], "False")
            self.assertGreaterEqual(float(headers["X-Ms-Run-Fn-Exec-Ms"]), 0)
            self.assertTrue(headers["X-Ms-Server-Version"])

    def test_init_runs_once_before_the_first_request(self):
        client = self.serve(
            """
            calls = []
            def init(): calls.append("init")
            def run(raw_data):
                calls.append(raw_data)
                return calls
            """
        )
        client.ask("POST", "/score", body=b"1")
        self.assertEqual(json.loads(self.connect().ask("POST", "/score", body=b"2")[2]), ["init", "1", "2"])

    def test_exception_is_500_and_its_traceback_is_logged(self):
        client = self.serve("def init(): pass\ndef run(raw_data): raise KeyError('fare')\n")
        status, headers, body = client.ask("POST", "/score", body=b"x")
        self.assertEqual(status, 500)
        self.assertEqual(headers["X-Ms-Run-Function-Failed"], "True")
        text = "An unexpected error occurred in scoring script. Check the logs for more info."
        self.assertEqual(json.loads(body), {"message": text})
        self.process.terminate()
        self.assertIn("KeyError: 'fare'", self.ended(0)[1])

    def test_what_is_no_json_is_500(self):
        client = self.serve("def init(): pass\ndef run(raw_data): return object()\n")
        status, headers, body = client.ask("POST", "/score")
        self.assertEqual((status, headers["X-Ms-Run-Function-Failed"]), (500, "False"))
        self.assertIn("internal error", json.loads(body)["message"])

    def test_exit_in_run_is_500_and_the_worker_goes_on(self):
        client = self.serve("import sys\ndef init(): pass\ndef run(raw_data): return sys.exit(1) if raw_data else 'on'\n")
        self.assertEqual(client.ask("POST", "/score", body=b"x")[0], 500)
        self.assertEqual(client.ask("POST", "/score")[2], b'"on"')

    def test_body_that_is_not_utf8_is_400(self):
        self.assertEqual(self.serve().ask("POST", "/score", body=b"\xff\xfe")[0], 400)

    def test_query_of_get_is_json(self):
        client = self.serve()
        _, _, body = client.ask("GET", "/score", query="a=1&b=%5B1%2C2%5D&c=x+y&d=1&d=z&e=")
        want = {"a": 1, "b": [1, 2], "c": "x y", "d": [1, "z"], "e": ""}
        self.assertEqual(json.loads(json.loads(body)), want)

    def test_headers_are_passed_where_they_are_asked_for(self):
        client = self.serve(
            """
            def init(): pass
            def run(data, request_headers):
                return [data, request_headers["Trace-Id"], request_headers.get("trace-id"), "TRACE-ID" in request_headers,
                        request_headers.get("none")]
            """
        )
        body = client.ask("POST", "/score", headers=["Trace-Id:a:b"], body=b"x")[2]
        self.assertEqual(json.loads(body), ["x", "a:b", "a:b", True, None])

    def test_modules_beside_the_script_and_in_the_root_are_found(self):
        self.write("beside/near.py", "NAME = 'near'")
        self.write("rooted.py", "NAME = 'rooted'")
        script = "import near, rooted\ndef init(): pass\ndef run(raw_data): return near.NAME + rooted.NAME\n"
        self.assertEqual(self.serve(script, "beside/score.py").ask("POST", "/score")[2], b'"nearrooted"')

    def test_large_bodies_both_ways(self):
        client = self.serve()
        text = "x" * (3 << 20)
        threading.Thread(target=client.send, args=("POST", "/score"), kwargs={"body": text.encode(), "piece": 999_999}).start()
        client.number = 1
        self.assertEqual(json.loads(client.receive()[2]), text)

    def test_run_is_entered_once_at_a_time(self):
        client = self.serve(
            """
            import time
            inside = 0
            def init(): pass
            def run(raw_data):
                global inside
                inside += 1
                most = inside
                time.sleep(0.05)
                inside -= 1
                return most
            """
        )
        clients = [client] + [self.connect() for _ in range(3)]
        for client in clients:
            client.send("POST", "/score")
        self.assertEqual([client.receive()[2] for client in clients], [b"1"] * 4)

    def test_hello_and_health_while_run_works(self):
        client = self.serve("import time\ndef init(): pass\ndef run(raw_data): time.sleep(0.5)\n")
        client.send("POST", "/score")
        other = self.connect()
        kind, number, payload = other.hello
        self.assertEqual((kind, number, payload.split(b"\n")[0]), (HELLO, 0, b"1"))
        self.assertEqual(payload, client.hello[2])
        self.assertEqual(other.ask("GET", "/")[::2], (200, b"Healthy"))
        self.assertEqual(client.receive()[2], b"null")


class RouteTest(WorkerTest):
    def test_routes(self):
        self.write("swagger.json", '{"swagger": "2.0"}')
        client = self.serve()
        cases = {
            ("GET", "/"): 200,
            ("POST", "/"): 405,
            ("OPTIONS", "/score"): 200,
            ("PUT", "/score"): 405,
            ("HEAD", "/score"): 405,
            ("GET", "/swagger.json"): 200,
            ("POST", "/swagger.json"): 405,
            ("GET", "/swagger.json?version=2"): 200,
            ("GET", "/swagger.json?version=3"): 404,
            ("GET", "/score/"): 404,
            ("GET", "/../score.py"): 404,
            ("GET", "/other"): 404,
        }
        for (method, target), want in cases.items():
            path, _, query = target.partition("?")
            self.assertEqual(client.ask(method, path, query=query)[0], want, (method, target))
        self.assertEqual(json.loads(client.ask("GET", "/swagger.json")[2]), {"swagger": "2.0"})
        self.assertEqual(json.loads(client.ask("PUT", "/score")[2]), {"message": "Method not allowed"})


class MicrosoftTest(WorkerTest):
    def test_response_and_request_classes(self):
        client = self.serve(
            """
            from azureml_inference_server_http.api.aml_response import AMLResponse
            from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
            import azureml.contrib.services.aml_request as older
            from azureml.contrib.services.aml_response import AMLResponse as OlderResponse
            assert older.rawhttp is rawhttp and older.AMLRequest is AMLRequest and OlderResponse is AMLResponse
            def init(): pass
            @rawhttp
            def run(request):
                assert isinstance(request, AMLRequest)
                if request.method == "GET":
                    return AMLResponse([request.path, request.args], 200, json_str=True)
                if request.get_data() == b"none":
                    return AMLResponse(None, 503)
                if request.data == b"break":
                    return AMLResponse("x", 200, {"X-Bad": "a\\nb"})
                given = request.get_json()
                assert request.get_data(as_text=True) == request.data.decode()
                return AMLResponse(given["text"], given["status"], {"x-Mine": request.headers["content-type"]})
            """
        )
        status, headers, body = client.ask(
            "POST", "/score", headers=["Content-Type:application/json"], body=b'{"text": "short and stout", "status": 418}'
        )
        self.assertEqual((status, body), (418, b"short and stout"))
        self.assertEqual(headers["X-Mine"], "application/json")
        self.assertEqual(headers["X-Ms-Run-Function-Failed"], "False")
        self.assertEqual(json.loads(client.ask("GET", "/score", query="a=1&a=2&b=3")[2]), ["/score", {"a": "1", "b": "3"}])
        status, headers, body = client.ask("POST", "/score", body=b"none")
        self.assertEqual((status, body, headers["X-Ms-Run-Function-Failed"]), (503, b"{}", "True"))
        self.assertEqual(client.ask("POST", "/score", body=b"break")[0], 500)

    def test_other_modules_of_those_packages_stay_missing(self):
        self.start("import azureml.core\n")
        self.assertIn("No module named 'azureml.core'", self.ended(3)[1])

    def test_input_schema(self):
        # The package that has the decorator is the user's to install; this is as much of it as the worker calls.
        self.write("inference_schema/__init__.py", "")
        self.write(
            "inference_schema/schema_util.py",
            "def is_schema_decorated(run): return hasattr(run, 'schema')\n",
        )
        client = self.serve(
            """
            from inference_schema import schema_util
            def init(): pass
            def run(fare, miles): return [fare, miles]
            run.schema = True
            """
        )
        kind = ["Content-Type:application/json; charset=utf-8"]
        cases = {
            "all keys": (kind, b'{"fare": 1, "miles": [2], "more": 3}', 200),
            "a key is missing": (kind, b'{"fare": 1}', 400),
            "no object": (kind, b"[1]", 400),
            "no JSON": (kind, b"{", 400),
            "another type": (["Content-Type:text/plain"], b'{"fare": 1, "miles": 2}', 415),
        }
        for name, (headers, body, want) in cases.items():
            self.assertEqual(client.ask("POST", "/score", headers=headers, body=body)[0], want, name)
        self.assertEqual(json.loads(client.ask("GET", "/score", query="fare=1&miles=2")[2]), [1, 2])


class LifeTest(WorkerTest):
    def test_a_script_that_cannot_start_exits_3(self):
        cases = {
            "syntax error": ("def init(:\n", "SyntaxError"),
            "import error": ("import nosuchmodule\n", "nosuchmodule"),
            "init raises": ("def init(): raise ValueError('no model')\ndef run(raw_data): pass\n", "no model"),
            "init exits": ("import sys\ndef init(): sys.exit(0)\ndef run(raw_data): pass\n", "SystemExit"),
            "no run": ("def init(): pass\n", "no function run()"),
            "run takes nothing": ("def init(): pass\ndef run(): pass\n", "no parameter"),
        }
        for name, (script, want) in cases.items():
            with self.subTest(name):
                self.start(script)
                self.assertIn(want, self.ended(3)[1])
                self.assertFalse(os.path.exists(self.socket))

    def test_print_is_on_stdout_at_once(self):
        client = self.serve("print('imported')\ndef init(): print('started')\ndef run(raw_data): print(raw_data)\n")
        client.ask("POST", "/score", body=b"scored")
        self.assertEqual([self.process.stdout.readline() for _ in range(3)], ["imported\n", "started\n", "scored\n"])

    def test_what_the_script_logs_is_on_stderr(self):
        self.serve("import logging\ndef init(): logging.info('model loaded')\ndef run(raw_data): pass\n")
        self.process.terminate()
        self.assertIn("model loaded", self.ended(0)[1])

    def test_stale_socket_is_replaced(self):
        stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stale.bind(self.socket)
        stale.close()
        self.assertEqual(self.serve().ask("POST", "/score", body=b"x")[2], b'"x"')
        self.assertEqual(os.stat(self.socket).st_mode & 0o077, 0)

    def test_terminate_answers_what_has_arrived(self):
        client = self.serve(
            "import time\ndef init(): pass\ndef run(raw_data):\n    print('begun')\n    time.sleep(0.3)\n    return raw_data\n"
        )
        second = self.connect()
        idle = self.connect()
        client.send("POST", "/score", body=b"1")
        self.assertEqual(self.process.stdout.readline(), "begun\n")
        second.send("POST", "/score", body=b"2")  # waits for its turn
        time.sleep(0.1)
        self.process.terminate()
        self.assertEqual(client.receive()[2], b'"1"')
        self.assertEqual(second.receive()[2], b'"2"')
        with self.assertRaises(BrokenPipeError):  # not one byte of it is taken
            while True:
                idle.sock.send(b"\x02")
                time.sleep(0.01)
        self.ended(0)

    def test_garbage_ends_the_worker(self):
        request = b"POST\n/score\n"
        cases = {
            "unknown kind": FRAME.pack(9, 1, 0),
            "unexpected id": FRAME.pack(HEAD, 7, len(request)) + request,
            "id used again": FRAME.pack(HEAD, 0, len(request)) + request,
            "data first": FRAME.pack(DATA, 1, 1) + b"x",
            "head twice": (FRAME.pack(HEAD, 1, len(request)) + request) * 2,
            "head too large": FRAME.pack(HEAD, 1, 3 << 20),
            "data too large": FRAME.pack(HEAD, 1, len(request)) + request + FRAME.pack(DATA, 1, 2 << 20),
            "end with payload": FRAME.pack(HEAD, 1, len(request)) + request + FRAME.pack(END, 1, 1) + b"x",
            "head without lines": FRAME.pack(HEAD, 1, 4) + b"POST" + FRAME.pack(END, 1, 0),
            "another protocol": b"POST /score HTTP/1.1\r\nHost: x\r\n\r\n",
        }
        for name, data in cases.items():
            with self.subTest(name):
                self.serve().sock.sendall(data)
                self.assertIn("broke the protocol", self.ended(4)[1])

    def test_a_connection_cut_in_the_middle_harms_no_one(self):
        for data in (b"", FRAME.pack(HEAD, 1, 100), FRAME.pack(HEAD, 1, 10) + b"POST", FRAME.pack(HEAD, 1, 9)[:5]):
            with self.subTest(data):
                client = self.serve() if self.process is None else self.connect()
                client.sock.sendall(data)
                client.close()
                self.assertEqual(self.connect().ask("POST", "/score", body=b"x")[2], b'"x"')


if __name__ == "__main__":
    unittest.main()
