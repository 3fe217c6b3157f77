"""Nobody reaches what is another's: every route, WebSocket and gRPC call, each asked by two kinds of strangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("grpc")
pytest.importorskip("grpc_health")

import grpc
from conftest import stand_in
from fastapi import FastAPI
from fastapi.testclient import TestClient
from google.protobuf.empty_pb2 import Empty
from service_process import photo
from starlette.testclient import WebSocketDenialResponse

from vestiary.serve import app as serve_app
from vestiary.serve.app import create_app
from vestiary.serve.rpc import fitting_room_pb2 as pb
from vestiary.serve.rpc.fitting_room_pb2_grpc import FittingRoomStub
from vestiary.serve.settings import Settings

SHOP = "http://shop.example"
Headers = dict[str, str]
Ids = dict[str, str]


def operations() -> list[tuple[str, str]]:
    """Every method and path of the API."""
    bare = FastAPI()
    for router in serve_app._ROUTERS:
        bare.include_router(router)
    paths = bare.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


CALLS = [method.name for method in pb.DESCRIPTOR.services_by_name["FittingRoom"].methods]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that asks for keys, with gRPC beside it."""
    folder = tmp_path_factory.mktemp("service")
    settings = Settings(
        host="0.0.0.0",
        grpc_port=0,
        database=f"sqlite:///{folder}/v.db",
        storage=str(folder / "pictures"),
        nudity="off",
        watermark=False,
        rate_per_minute=100_000,
        workers=1,
    )
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        with TestClient(create_app(settings), base_url=SHOP) as one:
            yield one


@pytest.fixture(scope="module")
def page(client: TestClient) -> str:
    """A key that may stand in a web page."""
    return new_key(client, "page", "page")["Authorization"]


def new_key(client: TestClient, name: str, *more: str) -> Headers:
    scopes = ["read", "write", "delete", "metrics", *more]
    _, secret = client.app.state.keys.create(name, scopes)  # type: ignore[attr-defined]
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def people(client: TestClient, page: str) -> dict[str, tuple[Headers, Headers]]:
    """Pairs of an owner and a stranger."""
    visitors = [{"Authorization": page, "Vestiary-Session": letter * 32} for letter in "ab"]
    return {"key": (new_key(client, "mine"), new_key(client, "yours")), "visitor": (visitors[0], visitors[1])}


@pytest.fixture(scope="module")
def owned(client: TestClient, people: dict[str, tuple[Headers, Headers]]) -> dict[str, Ids]:
    """What the owners have: ids of a person, a garment, a batch and a finished fitting."""
    return {kind: furnish(client, owner) for kind, (owner, _) in people.items()}


def furnish(client: TestClient, owner: Headers) -> Ids:
    ids = {}
    for kind in ("people", "garments"):
        ids[kind] = client.post(f"/v1/{kind}", files={"photo": photo()}, headers=owner).json()["id"]
    form = {"person_id": ids["people"], "garment_id": ids["garments"], "engine": "paste", "wait": "60"}
    answer = client.post("/v1/fittings", data=form, headers={**owner, "Accept": "application/json"})
    assert answer.json()["state"] == "done", answer.text
    ids["fittings"] = answer.json()["id"]
    pair = {"person": ids["people"], "garments": [ids["garments"]]}
    ids["batches"] = client.post("/v1/batches", json={"pairs": [pair], "engine": "paste"}, headers=owner).json()["id"]
    return ids


@pytest.fixture(params=["key", "visitor"])
def case(
    request: Any, client: TestClient, people: dict[str, tuple[Headers, Headers]], owned: dict[str, Ids]
) -> Iterator[tuple[Ids, Headers]]:
    """What the owner has, and how the stranger calls; afterwards the owner still finds all of it."""
    (owner, stranger), ids = people[request.param], owned[request.param]
    yield ids, stranger
    if "-GET-" not in request.node.name:
        still_there(client, owner, ids)


def still_there(client: TestClient, owner: Headers, ids: Ids) -> None:
    for kind, id in ids.items():
        assert client.get(f"/v1/{kind}/{id}", headers=owner).status_code == 200
    assert client.get(f"/v1/fittings/{ids['fittings']}", headers=owner).json()["state"] == "done"
    assert client.get(f"/v1/fittings/{ids['fittings']}/picture", headers=owner).status_code == 200


def unnamed(method: str, path: str, ids: Ids) -> tuple[dict[str, Any], int, Any]:
    """For routes without an id: what the stranger sends, the status, and the answer (None: any without the ids)."""
    fitting = {"person_id": ids["people"], "garment_id": ids["garments"], "engine": "paste"}
    pair = {"person": ids["people"], "garments": [ids["garments"]]}
    table: dict[tuple[str, str], tuple[dict[str, Any], int, Any]] = {
        ("GET", "/v1/people"): ({}, 200, []),
        ("GET", "/v1/garments"): ({}, 200, []),
        ("GET", "/v1/fittings"): ({}, 200, []),
        ("POST", "/v1/people"): ({"files": {"photo": b""}}, 415, None),
        ("POST", "/v1/garments"): ({"files": {"photo": b""}}, 415, None),
        ("POST", "/v1/fittings"): ({"data": fitting}, 404, None),
        ("POST", "/v1/batches"): ({"json": {"pairs": [pair], "engine": "paste"}}, 404, None),
        ("DELETE", "/v1/me"): ({}, 200, {"erased": 0}),
        ("GET", "/v1/engines"): ({}, 200, None),
        ("GET", "/metrics"): ({}, 200, None),
        ("GET", "/health"): ({}, 200, None),
        ("GET", "/ready"): ({}, 200, None),
        ("GET", "/try-on.js"): ({}, 200, None),
    }
    return table[method, path]


@pytest.mark.parametrize(("method", "path"), operations())
def test_no_route_gives_what_is_anothers(client: TestClient, case: tuple[Ids, Headers], method: str, path: str) -> None:
    ids, stranger = case
    if "{id}" in path:
        id = ids[path.split("/")[2]]
        place = path.replace("{id}", id).replace("{name}", "mask")
        answer = client.request(method, place, headers=stranger)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not-found")
        nothing = client.request(method, place.replace(id, id[:2] + "0" * 16), headers=stranger)
        assert answer.text.replace(id, "") == nothing.text.replace(id[:2] + "0" * 16, ""), "it cannot be told apart"
        return
    given, status, wanted = unnamed(method, path, ids)
    answer = client.request(method, path, headers=stranger, **given)
    assert answer.status_code == status, answer.text
    assert wanted is None or answer.json() == wanted
    if method == "GET":
        assert not [id for id in ids.values() if id in answer.text]


def test_anothers_batch_filters_nothing(client: TestClient, case: tuple[Ids, Headers]) -> None:
    ids, stranger = case
    assert client.get(f"/v1/fittings?batch={ids['batches']}", headers=stranger).status_code == 404


def test_every_route_is_tried(client: TestClient) -> None:
    paths = client.app.openapi()["paths"]  # type: ignore[attr-defined]
    assert {path for _, path in operations()} == set(paths)
    assert {route.path for route in client.app.routes if "WebSocket" in type(route).__name__} <= SOCKETS  # type: ignore[attr-defined]


SOCKETS = {"/v1/fittings/{id}/events", "/v1/mirror"}


def test_no_socket_tells_of_anothers_fitting(client: TestClient, case: tuple[Ids, Headers]) -> None:
    ids, stranger = case
    place = f"ws://shop.example/v1/fittings/{ids['fittings']}/events"
    with pytest.raises(WebSocketDenialResponse) as refused:
        client.websocket_connect(place, headers=stranger).__enter__()
    assert refused.value.status_code == 404


def test_no_mirror_shows_anothers_garment(client: TestClient, case: tuple[Ids, Headers]) -> None:
    ids, stranger = case
    with client.websocket_connect("ws://shop.example/v1/mirror", headers=stranger) as socket:
        socket.send_text(json.dumps({"garments": [ids["garments"]]}))
        assert socket.receive_json()["error"]["code"] == "not-found"


@pytest.fixture(scope="module")
def stub(client: TestClient) -> Iterator[FittingRoomStub]:
    port = client.app.state.rpc.port  # type: ignore[attr-defined]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield FittingRoomStub(channel)


def asked_by_call(name: str, ids: Ids) -> tuple[Any, Any]:
    """What the stranger sends, and what must come of it: a status, or an answer."""
    missing, empty = grpc.StatusCode.NOT_FOUND, Empty()
    kind = {"Person": "people", "Garment": "garments", "Fitting": "fittings", "Batch": "batches"}
    pair = {"person": ids["people"], "garments": [ids["garments"]]}
    table = {
        "AddPerson": (iter([pb.AddPersonRequest()]), grpc.StatusCode.INVALID_ARGUMENT),
        "AddGarment": (iter([pb.AddGarmentRequest()]), grpc.StatusCode.INVALID_ARGUMENT),
        "AddFitting": (pb.AddFittingRequest(**pair, engine="paste"), missing),
        "Fit": (pb.FitRequest(fitting=pb.AddFittingRequest(**pair, engine="paste")), missing),
        "AddBatch": (pb.AddBatchRequest(pairs=[pb.AddBatchRequest.Pair(**pair)], engine="paste"), missing),
        "GetPicture": (pb.GetPictureRequest(id=ids["fittings"]), missing),
        "ListPeople": (empty, pb.People()),
        "ListGarments": (empty, pb.Garments()),
        "ListFittings": (pb.ListFittingsRequest(), pb.Fittings()),
        "ListEngines": (empty, None),
        "Erase": (empty, pb.Erased()),
    }
    for verb in ("Get", "Delete", "Cancel", "Watch"):
        table |= {f"{verb}{thing}": (pb.Name(id=ids[place]), missing) for thing, place in kind.items()}
    return table[name]


@pytest.mark.parametrize("name", CALLS)
def test_no_call_gives_what_is_anothers(
    client: TestClient,
    stub: FittingRoomStub,
    people: dict[str, tuple[Headers, Headers]],
    owned: dict[str, Ids],
    name: str,
) -> None:
    owner, stranger = people["key"]
    request, wanted = asked_by_call(name, owned["key"])
    call = getattr(stub, name)
    streams = name in ("WatchFitting", "GetPicture")
    key = (("authorization", stranger["Authorization"]),)
    if isinstance(wanted, grpc.StatusCode):
        with pytest.raises(grpc.RpcError) as refused:
            list(call(request, metadata=key)) if streams else call(request, metadata=key)
        assert refused.value.code() == wanted
    else:
        answer = call(request, metadata=key)
        assert wanted is None or answer == wanted
    if not name.startswith(("Get", "List", "Watch")):
        still_there(client, owner, owned["key"])
