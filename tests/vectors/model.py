"""Reference model of suite 1 (docs/CRYPTO.md, section 2), independent of the Rust code it is compared with.

Written for reading: no constant time, nothing wiped. Never use it with real keys.
"""

import base64
import hashlib
import hmac
import struct
import unicodedata

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ZERO_ID = bytes(16)
PASSWORD_ROUNDS = 600_000
SECRET_ROUNDS = 1_000
LARGEST_PLAINTEXT = 8 * 1024 * 1024 - 4
PURPOSES = {0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2E}


class Refused(Exception):
    """The model does not accept the input."""


def hkdf(ikm, salt, info, length):
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(ikm)


def context(purpose, org=ZERO_ID, a=ZERO_ID, b=ZERO_ID, n1=0, n2=0):
    return b"KWC1" + bytes([purpose, 1, 0, 0]) + org + a + b + struct.pack(">QQ", n1, n2)


def bucket(length):
    size = 512
    while size < 4 + length:
        size *= 2
    return size


def pad(plaintext):
    body = struct.pack(">I", len(plaintext)) + plaintext
    return body + bytes(bucket(len(plaintext)) - len(body))


def unpad(padded):
    if len(padded) < 4:
        raise Refused("no length")
    (length,) = struct.unpack(">I", padded[:4])
    plaintext = padded[4 : 4 + length]
    if length > LARGEST_PLAINTEXT or pad(plaintext) != padded:
        raise Refused("padding")
    return plaintext


def seal_padded(key, ctx, padded, nonce):
    """Seals any bytes in the place of the padded plaintext, so that lies about padding can be made."""
    okm = hkdf(key, nonce, ctx, 76)
    header = b"KWE1" + ctx[4:6] + b"\0\0"
    return header + nonce + okm[44:] + AESGCM(okm[:32]).encrypt(okm[32:44], padded, ctx)


def seal(key, ctx, plaintext, nonce):
    return seal_padded(key, ctx, pad(plaintext), nonce)


def open_(key, ctx, envelope):
    padded = len(envelope) - 88
    if padded < 512 or padded & (padded - 1) or envelope[4] not in PURPOSES:
        raise Refused("length or purpose")
    if envelope[:8] != b"KWE1" + ctx[4:5] + b"\1\0\0":
        raise Refused("header")
    okm = hkdf(key, envelope[8:40], ctx, 76)
    if not hmac.compare_digest(okm[44:], envelope[40:72]):
        raise Refused("commitment")
    try:
        return unpad(AESGCM(okm[:32]).decrypt(okm[32:44], envelope[72:], ctx))
    except Exception as error:
        raise Refused("ciphertext") from error


def halves(root, cred):
    return hkdf(root, b"", context(0x02, b=cred), 32), hkdf(root, b"", context(0x03, b=cred), 32)


def password_root(password, email, cred, salt):
    text = unicodedata.normalize("NFKC", password).encode()
    label = canonical_email(email).encode()
    return hashlib.pbkdf2_hmac("sha256", text, context(0x01, b=cred) + salt + label, PASSWORD_ROUNDS)


def canonical_email(email):
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in email.strip(" "))


def secret_root(secret, cred):
    return hashlib.pbkdf2_hmac("sha256", secret, context(0x01, b=cred) + cred, SECRET_ROUNDS)


def delivery_key(identity_key, org, identity, epoch, nonce):
    return hkdf(identity_key, nonce, context(0x10, org, a=identity, n1=epoch), 32)


def base32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def with_check(text):
    return text + "_" + base32(hashlib.sha256(text.encode()).digest())[:6]


def token(prefix, *fields):
    return with_check("_".join([prefix, *map(base32, fields)]))
