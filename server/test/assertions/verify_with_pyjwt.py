"""Verifies assertions with the library PyJWT: python3 verify_with_pyjwt.py <URL of the key set> <assertion>…

Prints a line for each: its claims, or the reason why it is not valid.
"""

import json
import sys

import jwt

key_set_url, *assertions = sys.argv[1:]
key_set = jwt.PyJWKClient(key_set_url)
for assertion in assertions:
    try:
        key = key_set.get_signing_key_from_jwt(assertion).key
        result = jwt.decode(assertion, key, algorithms=["EdDSA"], issuer="antechamber", audience="shop")
    except jwt.PyJWTError as error:
        result = f"invalid: {error!r}"
    print(json.dumps(result))
