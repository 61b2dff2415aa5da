"""Verifies each line of a bundle with PyJWT and prints one word a line: good, or bad.

Usage: python verify.py BUNDLE JWKS
"""

import sys

import jwt

bundle, jwks = sys.argv[1:]
keys = jwt.PyJWKSet.from_json(open(jwks).read())
# There is no audience; times are claims of a machine without a trusted clock, so a date in the future is no refusal.
options = {"verify_aud": False, "verify_iat": False, "require": ["iss", "jti", "iat", "events"]}

for line in open(bundle, encoding="latin-1").read().split("\n")[:-1]:
    try:
        header = jwt.get_unverified_header(line)
        if header["typ"] != "secevent+jwt":
            raise jwt.InvalidTokenError("type")
        key = keys[header["kid"]]
        jwt.decode(line, key, algorithms=["ES256"], issuer="https://records.example.org", options=options)
        print("good")
    except (jwt.PyJWTError, KeyError) as error:
        print(repr(error), file=sys.stderr)
        print("bad")
