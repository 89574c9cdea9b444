"""A local stand-in for the Hugging Face Hub: the routes by which its library pushes and fetches, and failures."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_token_of_ann"


@dataclass
class HubRepository:
    """A repository.

    Attributes:
        private: Whether it needs the token.
        commits: Commit -> content of all its files by path; the last one is the branch main.
    """

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the last commit."""
        return list(self.commits.values())[-1]

    def commit(self, files: dict[str, bytes]) -> str:
        """Add a commit with these files and return its name."""
        content = [entity_tag(path, it) for path, it in sorted(files.items())]
        name = hashlib.sha1(repr((len(self.commits), content)).encode()).hexdigest()
        self.commits[name] = files
        return name

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a revision; `None` where there is none."""
        names = [name for name in self.commits if name == revision]
        return [*self.commits][-1] if revision == "main" else next(iter(names), None)


@dataclass
class HubServer:
    """A running server.

    Attributes:
        address: Its URL.
        repositories: By USER/NAME.
        uploaded: Large files before their commit, by SHA-256.
        requests: Method and path of each request.
        cut: Paths of which one download breaks off in the middle.
        corrupt: Paths of which so many downloads have a wrong byte.
    """

    address: str
    repositories: dict[str, HubRepository] = field(default_factory=dict)
    uploaded: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    corrupt: dict[str, int] = field(default_factory=dict)

    def create(self, name: str, *, private: bool = False, **files: bytes) -> HubRepository:
        """Add a repository with some files, in whose names `_` stands for a full stop."""
        repository = self.repositories[name] = HubRepository(private)
        repository.commit(
            {".gitattributes": b""} | {key.replace("_", "."): it for key, it in files.items()}
        )
        return repository

    def apply(self, name: str, lines: list[dict[str, Any]]) -> str:
        """Make the commit that the lines of a request describe."""
        repository = self.repositories[name]
        files = dict(repository.files)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.uploaded[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        return repository.commit(files)


def is_large(path: str) -> bool:
    """Whether a file is stored by its SHA-256."""
    return path.endswith((".safetensors", ".npz"))


def entity_tag(path: str, content: bytes) -> str:
    """Return the hash by which the Hub stores a file."""
    if is_large(path):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class HubHandler(BaseHTTPRequestHandler):
    """Answers the requests of `huggingface_hub`."""

    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_GET(self) -> None:
        self.dispatch()

    def do_HEAD(self) -> None:
        self.dispatch()

    def do_POST(self) -> None:
        self.dispatch()

    def do_PUT(self) -> None:
        self.dispatch()

    def dispatch(self) -> None:
        """Find the route of a request."""
        path = unquote(urlsplit(self.path).path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.requests.append(f"{self.command} {path}")
        routes = (
            (r"POST /api/repos/create", self.create),
            (r"POST /api/validate-yaml", lambda: self.send({})),
            (r"PUT /large/(?P<digest>\w+)", self.put_large),
            (r"GET /api/models/(?P<name>[^/]+/[^/]+)(/revision/(?P<revision>.+))?", self.info),
            (r"GET /api/models/(?P<name>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)", self.tree),
            (r"POST /api/models/(?P<name>[^/]+/[^/]+)/preupload/main", self.preupload),
            (r"POST /api/models/(?P<name>[^/]+/[^/]+)/commit/main", self.commit),
            (r"POST /(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch", self.batch),
            (r"\w+ /(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)", self.resolve),
        )
        for pattern, answer in routes:
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                groups = match.groupdict()
                if self.may_see(groups.get("name")):
                    answer(**groups)
                else:
                    self.fail(401, "RepoNotFound")
                return
        self.fail(404, "EntryNotFound")

    @property
    def logged_in(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def may_see(self, name: str | None) -> bool:
        if name is None:
            return True
        repository = self.hub.repositories.get(name)
        return repository is not None and (self.logged_in or not repository.private)

    def send(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):
                self.wfile.write(body)

    def fail(self, status: int, code: str) -> None:
        self.send({"error": code}, status, {"X-Error-Code": code, "X-Error-Message": code})

    def create(self) -> None:
        wanted = json.loads(self.body)
        name = f"{wanted['organization']}/{wanted['name']}"
        if not self.logged_in:
            self.fail(401, "Unauthorized")
        elif wanted["organization"] != "ann":
            self.fail(403, "Forbidden")
        elif name in self.hub.repositories:
            self.send({"url": f"{self.hub.address}/{name}"}, 409)
        else:
            self.hub.create(name, private=wanted.get("visibility") == "private")
            self.send({"url": f"{self.hub.address}/{name}"})

    def info(self, name: str, revision: str | None) -> None:
        repository = self.hub.repositories[name]
        commit = repository.resolve(revision or "main")
        if commit is None:
            self.fail(404, "RevisionNotFound")
            return
        files = [{"rfilename": path} for path in repository.commits[commit]]
        self.send({"id": name, "sha": commit, "private": repository.private, "siblings": files})

    def tree(self, name: str, revision: str) -> None:
        files = []
        for path, content in self.hub.repositories[name].commits[revision].items():
            tag = entity_tag(path, content)
            large = {"lfs": {"oid": tag, "size": len(content), "pointerSize": 130}}
            files.append(
                {"type": "file", "path": path, "size": len(content), "oid": tag}
                | (large if is_large(path) else {})
            )
        self.send(files)

    def preupload(self, name: str) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if is_large(file["path"]) else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in json.loads(self.body)["files"]
        ]
        self.send({"files": files})

    def batch(self, name: str) -> None:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.hub.address}/large/{each['oid']}"}}}
            for each in json.loads(self.body)["objects"]
        ]
        self.send({"transfer": "basic", "objects": objects})

    def put_large(self, digest: str) -> None:
        assert hashlib.sha256(self.body).hexdigest() == digest
        self.hub.uploaded[digest] = self.body
        self.send({})

    def commit(self, name: str) -> None:
        lines = [json.loads(line) for line in self.body.splitlines()]
        commit = self.hub.apply(name, lines)
        url = f"{self.hub.address}/{name}/commit/{commit}"
        self.send({"commitUrl": url, "commitOid": commit, "pullRequestUrl": None})

    def resolve(self, name: str, revision: str, file: str) -> None:
        repository = self.hub.repositories[name]
        commit = repository.resolve(revision)
        if commit is None:
            self.fail(404, "RevisionNotFound")
            return
        content = repository.commits[commit].get(file)
        if content is None:
            self.fail(404, "EntryNotFound")
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{entity_tag(file, content)}"'}
        if self.command == "GET" and self.hub.corrupt.get(file, 0) > 0:
            self.hub.corrupt[file] -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.command == "GET" and file in self.hub.cut:
            self.hub.cut.remove(file)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        start = self.headers.get("Range", "")
        if start and self.command == "GET":
            offset = int(start.removeprefix("bytes=").removesuffix("-"))
            size = len(content)
            headers["Content-Range"] = f"bytes {offset}-{size - 1}/{size}"
            self.send(content[offset:], 206, headers)
            return
        self.send(content, 200, headers)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Serve an empty Hub until the context exits."""

    class Handler(HubHandler):
        pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as http:
        Handler.hub = HubServer(f"http://127.0.0.1:{http.server_port}")
        threading.Thread(
            target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        try:
            yield Handler.hub
        finally:
            http.shutdown()
