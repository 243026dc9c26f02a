#!/usr/bin/env python3
"""Writes views.json: a sample ORG, and what each set of groups, and each gateway, may read of it (CRYPTO.md 2.6, 2.10).

Holds its own words of the access rule and of VIEW's JSON; shares only the envelope with model.py.

pip install cryptography
python3 generate_views.py            write the file
python3 generate_views.py --check    exit 1 if it would change
"""

import hashlib
import json
import pathlib
import sys

sys.dont_write_bytecode = True

import model
from model import base64url, context

PATH = pathlib.Path(__file__).parent / "views.json"
EPOCH, SEQ, NOW = 7, 1234, 1767225600000


def stream(label, length=32):
    """Bytes that look random and never change."""
    return hashlib.shake_256(f"keyward views {label}".encode()).digest(length)


def ident(label):
    return stream(f"id {label}", 16)


def id_text(label):
    return base64url(ident(label))


def ids(labels):
    """Sorted by their bytes, not by their text or label."""
    return [base64url(raw) for raw in sorted(ident(label) for label in labels)]


def dumps(document):
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def compact(**fields):
    """The fields in this order, without those that are absent."""
    return {name: value for name, value in fields.items() if value is not None}


# ---- the organisation, in plain words ----

# label: (name, provider, version, reseal)
KEYS = {
    "db": ("database url", None, 3, 1),
    "stripe": ("Stripe", "stripe", 1, 0),
    "odd": ('Größe "XL" \\ 😀 é', "tab\there, \u001f, \u2028, </script>", 12, 0),
    "unmapped": ("mapped nowhere", None, 1, 0),
    "twice": ("two variables", None, 2, 4),
    "shared": ("in two deployments", "aws", 1, 1),
}

# label: (name, provider, [(variable, key)])
DEPLOYMENTS = {
    "production": (
        "production",
        "vercel",
        [
            ("DATABASE_URL", "db"),
            ("STRIPE_KEY", "stripe"),
            ("TWICE_A", "twice"),
            ("SHARED", "shared"),
            ("TWICE_B", "twice"),
        ],
    ),
    "staging": ("staging", None, [("SHARED", "shared"), ("_odd1", "odd"), ("DATABASE_URL", "stripe")]),
    "empty": ("nothing in it", None, []),
    "unassigned": ("assigned to nobody", None, [("DB", "db")]),
}

# (group, deployment, excluded, new keys). An exclusion holds though its deployment does not map the key (`odd` in
# production), and over what another group includes (`stripe`, `shared`).
ASSIGNMENTS = [
    ("web", "production", ["stripe"], "allow"),
    ("ops", "production", [], "deny"),
    ("ops", "staging", ["shared"], "allow"),
    ("test", "staging", [], "allow"),
    ("test", "empty", [], "deny"),
    ("strict", "production", ["odd", "db"], "deny"),
    ("all-gone", "staging", ["shared", "odd", "stripe"], "allow"),
]

GROUPS = ["web", "ops", "test", "strict", "all-gone", "idle"]

# The sets whose views are built. Identities below use the first three.
SETS = [
    [],
    ["web"],
    ["web", "test"],
    ["ops"],
    ["test"],
    ["strict"],
    ["all-gone"],
    ["idle"],
    ["web", "ops"],
    ["ops", "test"],
    ["strict", "test"],
    ["all-gone", "ops"],
    GROUPS,
]
IN_USE = SETS[:3]

# label: groups
GATEWAYS = {"edge": ["web", "ops"], "idle edge": []}

# label: (gateway, groups, granted, not after, state)
AGENTS = {
    "bot": ("edge", ["web"], ["db", "stripe", "twice", "odd"], None, "active"),
    "ops bot": ("edge", ["ops"], ["odd", "stripe", "db"], NOW + 2, "active"),
    "in no group": ("edge", [], ["db"], None, "active"),
    "granted nothing": ("edge", ["web", "ops"], [], None, "active"),
    "asleep": ("edge", ["web"], ["db"], None, "suspended"),
    "idle bot": ("idle edge", ["web"], ["db"], None, "active"),
}


# ---- the rule ----


def may_read(groups, key):
    mapped = any(
        group in groups and key in [k for _, k in DEPLOYMENTS[deployment][2]]
        for group, deployment, _, _ in ASSIGNMENTS
    )
    excluded = any(group in groups and key in gone for group, _, gone, _ in ASSIGNMENTS)
    return mapped and not excluded


def may_use(agent, key):
    gateway, groups, granted, _, _ = AGENTS[agent]
    return key in granted and may_read(groups, key) and may_read(GATEWAYS[gateway], key)


def may_see(groups, deployment):
    return any(group in groups and at == deployment for group, at, _, _ in ASSIGNMENTS)


# ---- the documents ----


def view(deployments, keys, agents=None):
    """VIEW's JSON, whose order is ORG's own."""
    return compact(
        v=1,
        seq=SEQ,
        org_name="Example & Söhne",
        deployments=[
            compact(
                id=id_text(deployment),
                name=DEPLOYMENTS[deployment][0],
                provider=DEPLOYMENTS[deployment][1],
                mappings=[
                    {"env": env, "key": id_text(key)} for env, key in DEPLOYMENTS[deployment][2] if key in keys
                ],
            )
            for deployment in deployments
        ],
        keys=[
            compact(
                id=id_text(key),
                name=KEYS[key][0],
                provider=KEYS[key][1],
                version=KEYS[key][2],
                reseal=KEYS[key][3],
                dek=base64url(stream(f"dek {key}")),
                sha256=base64url(stream(f"sha256 {key}")),
            )
            for key in keys
        ],
        agents=agents,
    )


def view_of_gateway(gateway):
    """With the agents that are served; a key's place among an agent's is that of its id."""
    served = [label for label, (at, _, _, _, state) in AGENTS.items() if at == gateway and state == "active"]
    agents = [
        compact(
            id=id_text(f"agent {label}"),
            name=label,
            secret_sha256=base64url(stream(f"credential {label}")),
            not_after=AGENTS[label][3],
            keys=[{"key": key} for key in ids(key for key in KEYS if may_use(label, key))],
        )
        for label in served
    ]
    groups = GATEWAYS[gateway]
    return view(
        [deployment for deployment in DEPLOYMENTS if may_see(groups, deployment)],
        [key for key in KEYS if may_read(groups, key)],
        agents,
    )


def view_of(groups):
    return view(
        [deployment for deployment in DEPLOYMENTS if may_see(groups, deployment)],
        [key for key in KEYS if may_read(groups, key)],
    )


def whole():
    return view(list(DEPLOYMENTS), list(KEYS))


def built(groups):
    return sealed(",".join(groups), view_of(groups))


def built_for(gateway):
    return sealed(f"of {gateway}", view_of_gateway(gateway))


def sealed(label, document):
    """A view: id, key, N, envelope."""
    vk, nonce = stream(f"vk {label}"), stream(f"N {label}")
    ctx = context(0x27, ident("org"), b=ident(f"view {label}"), n2=SEQ)
    plaintext = dumps(document)
    return f"view {label}", vk, nonce, plaintext, model.seal(vk, ctx, plaintext.encode(), nonce)


def view_entry(groups, gateway=None):
    label, vk, _, _, envelope = built_for(gateway) if gateway else built(groups)
    return compact(
        id=id_text(label),
        groups=ids(groups),
        gateway=gateway and id_text(gateway),
        seq=SEQ,
        sha256=base64url(hashlib.sha256(envelope).digest()),
        vk=base64url(vk),
    )


def agent(label):
    gateway, groups, granted, not_after, state = AGENTS[label]
    return compact(
        id=id_text(f"agent {label}"),
        gateway=id_text(gateway),
        name=label,
        groups=ids(groups),
        granted=ids(granted),
        secret_sha256=base64url(stream(f"credential {label}")),
        not_after=not_after,
        state=state,
    )


def identity(label, kind, role, groups, email=None, creator=None, not_after=None):
    return compact(
        id=id_text(label),
        kind=kind,
        role=role,
        name=label,
        email=email,
        creator=creator and id_text(creator),
        ik_gen=1,
        dk=base64url(stream(f"dk {label}")),
        not_after=not_after,
        groups=ids(groups),
        grant_seq=SEQ if role in ("user", "viewer") else None,
    )


def key_entry(label):
    name, provider, version, reseal = KEYS[label]
    old = {
        "version": version - 1,
        "reseal": 2,
        "dek": base64url(stream(f"old dek {label}")),
        "sha256": base64url(stream(f"old sha256 {label}")),
        "at": NOW - 1000,
        "by": id_text("owner"),
    }
    return compact(
        id=id_text(label),
        name=name,
        alias="another word" if label == "odd" else None,
        provider=provider,
        tags=["a tag", "b"] if label == "odd" else None,
        set="aws-main" if label == "shared" else None,
        version=version,
        reseal=reseal,
        dek=base64url(stream(f"dek {label}")),
        sha256=base64url(stream(f"sha256 {label}")),
        updated_at=NOW,
        updated_by=id_text("owner"),
        history=[old] if version > 1 else None,
        exposed=[{"identity_name": "agent", "version": 2, "at": NOW, "why": "excluded"}] if label == "db" else None,
    )


def org():
    return {
        "v": 1,
        "org": id_text("org"),
        "org_name": "Example & Söhne",
        "seq": SEQ,
        "epoch": EPOCH,
        "nonce": base64url(stream("nonce")),
        "written_at": NOW,
        "written_by": id_text("owner"),
        "prev": [{"seq": SEQ - n, "sha256": base64url(stream(f"prev {n}"))} for n in (1, 2)],
        "identities": [
            identity("owner", "human", "owner", [], email="owner@example.com"),
            identity("idler", "api", "viewer", [], creator="owner"),
            identity("agent", "api", "user", ["web"], creator="owner", not_after=NOW + 1),
            identity("tester", "api", "user", ["web", "test"], creator="owner"),
            *(identity(label, "gateway", "viewer", groups, creator="owner") for label, groups in GATEWAYS.items()),
        ],
        "groups": [{"id": id_text(group), "name": group} for group in GROUPS],
        "deployments": [
            compact(
                id=id_text(deployment),
                name=name,
                provider=provider,
                mappings=[
                    {"id": id_text(f"mapping {deployment} {env}"), "key": id_text(key), "env": env}
                    for env, key in mappings
                ],
            )
            for deployment, (name, provider, mappings) in DEPLOYMENTS.items()
        ],
        "assignments": [
            {
                "group": id_text(group),
                "deployment": id_text(deployment),
                "excluded": ids(excluded),
                "new_keys": new_keys,
            }
            for group, deployment, excluded, new_keys in ASSIGNMENTS
        ],
        "keys": [key_entry(label) for label in KEYS],
        "views": [*(view_entry(groups) for groups in IN_USE), *(view_entry([], gateway) for gateway in GATEWAYS)],
        "agents": [agent(label) for label in AGENTS],
        "audit_head": {"seq": 99, "hash": base64url(stream("audit"))},
    }


def case(groups):
    label, vk, nonce, plaintext, envelope = built(groups)
    return {
        "name": "+".join(groups) or "no group",
        "groups": [ident(group).hex() for group in groups],
        "keys": [KEYS[key][0] for key in KEYS if may_read(groups, key)],
        "plaintext": plaintext,
        "view": ident(label).hex(),
        "seq": str(SEQ),
        "key": vk.hex(),
        "nonce": nonce.hex(),
        "envelope": base64url(envelope),
    }


def gateway_case(gateway):
    label, vk, nonce, plaintext, envelope = built_for(gateway)
    served = [name for name, (at, _, _, _, state) in AGENTS.items() if at == gateway and state == "active"]
    return {
        "name": gateway,
        "gateway": ident(gateway).hex(),
        "agents": {name: [KEYS[key][0] for key in KEYS if may_use(name, key)] for name in served},
        "plaintext": plaintext,
        "view": ident(label).hex(),
        "seq": str(SEQ),
        "key": vk.hex(),
        "nonce": nonce.hex(),
        "envelope": base64url(envelope),
    }


def views():
    key, nonce, plaintext = stream("ok"), stream("N org"), dumps(org())
    ctx = context(0x26, ident("org"), n1=EPOCH, n2=SEQ)
    return {
        "org": {
            "id": ident("org").hex(),
            "epoch": str(EPOCH),
            "seq": str(SEQ),
            "key": key.hex(),
            "nonce": nonce.hex(),
            "plaintext": plaintext,
            "envelope": base64url(model.seal(key, ctx, plaintext.encode(), nonce)),
        },
        "views": [case(groups) for groups in SETS],
        "gateways": [gateway_case(gateway) for gateway in GATEWAYS],
        "whole": dumps(whole()),
    }


def prove_the_rule():
    """What a person reads off the tables above."""
    named = {"+".join(groups): [key for key in KEYS if may_read(groups, key)] for groups in SETS}
    assert named[""] == named["idle"] == named["all-gone"] == []
    assert named["web"] == ["db", "twice", "shared"]
    assert named["ops"] == ["db", "stripe", "odd", "twice"]
    assert named["strict"] == ["stripe", "twice", "shared"]
    assert named["web+ops"] == ["db", "odd", "twice"]
    assert named["strict+test"] == ["stripe", "twice", "shared"]
    assert named["all-gone+ops"] == ["db", "twice"]
    used = {label: [key for key in KEYS if may_use(label, key)] for label in AGENTS}
    assert used["bot"] == used["asleep"] + ["twice"] == ["db", "twice"]
    assert used["ops bot"] == ["db", "odd"], "stripe is excluded for web, where the gateway is"
    assert used["in no group"] == used["granted nothing"] == used["idle bot"] == []


def main():
    prove_the_rule()
    text = json.dumps(views(), indent=1) + "\n"
    stale = not PATH.exists() or PATH.read_text() != text
    check = "--check" in sys.argv[1:]
    if stale and not check:
        PATH.write_text(text)
    print("changed:", PATH.name if stale else "nothing")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
