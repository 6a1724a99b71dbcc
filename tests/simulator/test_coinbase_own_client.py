"""Coinbase's own client against our server, over a real socket."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from client_environments import python_with
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from loopback import served
from test_coinbase_venue import SYMBOLS, day

from pipeline.codes import Kind
from pipeline.ports import Channel, Topic
from pipeline.simulator.coinbase_advanced import CoinbaseVenue, Rules

CLIENT = "coinbase-advanced-py>=1.8,<1.9"
KEYS = {"EdDSA": ed25519.Ed25519PrivateKey.generate(), "ES256": ec.generate_private_key(ec.SECP256R1())}
ACKNOWLEDGED = 6
SNAPSHOTS = 4


def key_file_of(key, folder):
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path = folder / "key.json"
    path.write_text(json.dumps({"name": "organizations/1/apiKeys/2", "privateKey": secret}))
    return path


async def heard_by_the_client(venue, frames_of, key_file, count):
    """What the client printed, and the frames it was sent besides answers."""
    sent = []

    def tell(conversation):
        if not sent and Topic(Channel.STATUSES, "ETH-USD") in conversation.wanted:
            sent.extend(frames_of(conversation))
            return sent
        return []

    python = await asyncio.to_thread(python_with, "coinbase", CLIENT)
    script = Path(__file__).with_name("coinbase_client.py")
    async with served(venue, tell) as url:
        client = await asyncio.create_subprocess_exec(
            python, script, url, key_file, str(count), stdout=subprocess.PIPE, stderr=subprocess.PIPE, limit=2**24
        )
        out, err = await asyncio.wait_for(client.communicate(), 120)
    assert client.returncode == 0, err.decode()
    return [json.loads(line) for line in out.splitlines()], sent


@pytest.mark.clients
@pytest.mark.parametrize("algorithm", KEYS)
def test_the_official_client_receives_what_is_served(algorithm, tmp_path):
    key = KEYS[algorithm]
    public_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    venue, batch = CoinbaseVenue(Rules(public_key=public_key)), day(count=2_000)

    def frames_of(conversation):
        wanted = (each for each in venue.encoder.served(batch, SYMBOLS) if each.topic in conversation.wanted)
        return [frame for each in wanted for frame in conversation.frame([each.payload])]

    count = 2_000
    heard, sent = asyncio.run(heard_by_the_client(venue, frames_of, key_file_of(key, tmp_path), count))
    assert [message["sequence_num"] for message in heard] == list(range(count))
    ours = {json.loads(frame)["sequence_num"]: frame.decode() for frame in sent}
    received = [message for message in heard if message["sequence_num"] in ours]
    assert len(received) > 1_500
    assert [message["text"] for message in received] == [ours[message["sequence_num"]] for message in received]
    answers = [message["channel"] for message in heard if message["sequence_num"] not in ours]
    assert answers.count("subscriptions") == ACKNOWLEDGED
    assert answers.count("l2_data") + answers.count("market_trades") == SNAPSHOTS
    prints = next(block for block in batch if block.kind is Kind.PRINT).number("trade_id").tolist()
    ids = [int(id_) for message in received if message["channel"] == "market_trades" for id_ in message["ids"]]
    assert ids == prints[: len(ids)]
    assert {message["channel"] for message in received} == {"l2_data", "ticker", "market_trades", "candles", "status"}
    assert all(message["prices"] for message in received if message["channel"] == "l2_data")


@pytest.mark.clients
def test_the_official_client_is_refused_with_a_key_that_is_not_known(tmp_path):
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    public_key = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    venue, key_file = CoinbaseVenue(Rules(public_key=public_key)), key_file_of(KEYS["EdDSA"], tmp_path)
    heard, _ = asyncio.run(heard_by_the_client(venue, lambda _: [], key_file, ACKNOWLEDGED))
    assert [json.loads(message["text"]) for message in heard] == [
        {"type": "error", "message": "authentication failure"}
    ] * ACKNOWLEDGED
