"""Who may see what: every route and every kind of caller, with the status that it gets.

A route that is not in the table fails the test, which says the row as it would be today: look at each figure before you
write it down. Each cell asks about things of its own, which belong to `owner`. Rows with a query are there beside.
"""

from pathlib import Path

from attacks.world import CALLERS, SECRET, World, a_world

# anonymous, owner, other, guest, admin, key, narrow key, admin's key: see CALLERS
_ROWS = """
GET /healthz                                     200 200 200 200 200 200 200 200
GET /api/me                                      401 200 200 200 200 401 401 401
GET /api/models                                  401 200 200 200 200 401 401 401
GET /auth/sign-in                                302 302 302 302 302 302 302 302
GET /auth/callback                               302 302 302 302 302 302 302 302
GET /auth/doors                                  200 200 200 200 200 200 200 200
POST /auth/sign-out                              200 200 200 200 200 200 200 200
POST /auth/password                              401 401 401 401 401 401 401 401
POST /auth/code                                  400 400 400 400 400 400 400 400
POST /auth/passkey                               400 400 400 400 400 400 400 400
POST /auth/passkey/options                       200 200 200 200 200 200 200 200
POST /auth/link                                  404 404 404 404 404 404 404 404
POST /auth/link/accept                           404 404 404 404 404 404 404 404
POST /auth/reset                                 404 404 404 404 404 404 404 404
GET /api/account                                 401 200 200 200 200 401 401 401
PATCH /api/account                               401 200 403 403 403 401 401 401
POST /api/account/password                       401 204 403 403 403 401 401 401
POST /api/account/totp                           401 200 403 403 403 401 401 401
POST /api/account/totp/confirm                   401 401 403 403 403 401 401 401
POST /api/account/totp/recovery-codes            401 409 403 403 403 401 401 401
POST /api/account/totp/off                       401 204 403 403 403 401 401 401
POST /api/account/passkeys/options               401 200 403 403 403 401 401 401
POST /api/account/passkeys                       401 400 403 403 403 401 401 401
DELETE /api/account/passkeys/{passkey}           401 204 404 404 404 401 401 401
DELETE /api/account/sessions/{session}           401 204 404 404 404 401 401 401
POST /api/account/sessions/end-others            401 204 204 204 204 401 401 401
GET /api/account/export                          401 200 200 200 200 401 401 401
DELETE /api/account                              401 401 204 409 204 401 401 401
GET /api/people                                  401 403 403 403 200 401 401 401
PATCH /api/people/{person}                       401 403 403 403 200 401 401 401
DELETE /api/people/{person}                      401 403 403 403 204 401 401 401
POST /api/people/{person}/reset                  401 403 403 403 200 401 401 401
POST /api/people/{person}/sign-out               401 403 403 403 204 401 401 401
GET /api/people/{person}/conversations           401 403 403 403 403 401 401 401
GET /api/people/{person}/conversations/{conversation} 401 403 403 403 403 401 401 401
GET /api/people/{person}/conversations/{conversation}/images/{image} 401 403 403 403 403 401 401 401
GET /api/invitations                             401 403 403 403 200 401 401 401
POST /api/invitations                            401 403 403 403 201 401 401 401
DELETE /api/invitations/{invitation}             401 403 403 403 204 401 401 401
GET /api/groups                                  401 403 403 403 200 401 401 401
POST /api/groups                                 401 403 403 403 201 401 401 401
PATCH /api/groups/{group}                        401 403 403 403 200 401 401 401
DELETE /api/groups/{group}                       401 403 403 403 204 401 401 401
GET /api/providers                               401 403 403 403 200 401 401 401
POST /api/providers/{provider}/test              401 403 403 403 200 401 401 401
GET /api/installation                            401 200 200 200 200 401 401 401
PATCH /api/installation                          401 403 403 403 200 401 401 401
GET /api/audit                                   401 403 403 403 200 401 401 401
GET /api/audit/export                            401 403 403 403 200 401 401 401
GET /api/audit/check                             401 403 403 403 200 401 401 401
GET /api/conversations                           401 200 200 200 200 401 401 401
GET /api/conversations?query=Ann                 401 200 200 200 200 401 401 401
GET /api/conversations/{conversation}            401 200 404 404 404 401 401 401
PATCH /api/conversations/{conversation}          401 200 404 404 404 401 401 401
DELETE /api/conversations/{conversation}         401 204 404 404 404 401 401 401
POST /api/conversations/{conversation}/restore   401 200 404 404 404 401 401 401
GET /api/conversations/{conversation}/images/{image} 401 200 404 404 404 401 401 401
POST /api/conversations/import                   401 200 200 403 200 401 401 401
POST /api/turns                                  401 200 404 403 404 401 401 401
POST /api/turns/expected                         401 204 204 204 204 401 401 401
GET /api/turns/{reply}/events                    401 200 404 404 404 401 401 401
POST /api/turns/{reply}/stop                     401 200 404 404 404 401 401 401
GET /api/preferences                             401 200 200 200 200 401 401 401
PATCH /api/preferences                           401 200 200 200 200 401 401 401
GET /api/keys                                    401 200 200 200 200 401 401 401
GET /api/keys?everybody=true                     401 403 403 403 200 401 401 401
POST /api/keys                                   401 201 201 403 201 401 401 401
DELETE /api/keys/{key}                           401 200 404 404 200 401 401 401
GET /api/usage                                   401 200 200 200 200 401 401 401
GET /api/usage?everybody=true                    401 403 403 403 200 401 401 401
GET /api/usage.csv                               401 200 200 200 200 401 401 401
GET /api/usage.csv?everybody=true                401 403 403 403 200 401 401 401
GET /api/budgets                                 401 200 200 200 200 401 401 401
GET /metrics                                     401 401 401 401 401 403 403 200
GET /api/openapi.json                            401 200 200 200 200 401 401 401
POST /v1/chat/completions                        401 401 401 401 401 200 403 200
POST /v1/completions                             401 401 401 401 401 200 403 200
POST /v1/responses                               401 401 401 401 401 200 403 200
POST /v1/embeddings                              401 401 401 401 401 200 403 200
POST /v1/images/generations                      401 401 401 401 401 200 403 200
POST /v1/audio/speech                            401 401 401 401 401 200 403 200
POST /v1/moderations                             401 401 401 401 401 200 403 200
POST /v1/images/edits                            401 401 401 401 401 400 400 400
POST /v1/images/variations                       401 401 401 401 401 400 400 400
POST /v1/audio/transcriptions                    401 401 401 401 401 400 400 400
POST /v1/audio/translations                      401 401 401 401 401 400 400 400
GET /v1/models                                   401 401 401 401 401 200 200 200
GET /v1/models/{model}                           401 401 401 401 401 200 404 200
GET /v1/openapi.json                             200 200 200 200 200 200 200 200
POST /chat                                       401 200 200 200 200 401 401 401
POST /classic/chat                               401 200 200 200 200 401 401 401
GET /classic                                     401 308 308 308 308 401 401 401
GET /classic/                                    401 200 200 200 200 401 401 401
GET /classic/{file}                              401 200 200 200 200 401 401 401
"""
TABLE = {" ".join(row.split()[:2]): " ".join(row.split()[2:]) for row in _ROWS.strip().splitlines()}
MAY_READ = {"owner"}


async def _row(world: World, route: str) -> str:
    """Ask as everybody; return what each got. Whatever it was, it does not hold what only the owner may read."""
    cells = []
    for caller in CALLERS:
        status, body = await world.asked(route, caller, await world.things())
        assert caller in MAY_READ or SECRET.encode() not in body, f"{route} shows it to {caller}"
        cells.append(str(status))
    return " ".join(cells)


async def test_everybody_gets_what_the_table_says(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        routes = [f"{operation.method} {operation.path}" for operation in world.site.app.operations]
        found = {route: await _row(world, route) for route in dict.fromkeys((*routes, *TABLE))}
    missing = [f"{route:48} {found[route]}" for route in routes if route not in TABLE]
    assert not missing, "routes that are not in the table:\n" + "\n".join(missing)
    wrong = [
        f"{route}: {statuses}, not {TABLE[route]}" for route, statuses in found.items() if statuses != TABLE[route]
    ]
    assert not wrong, "\n".join(wrong)
    gone = {row for row in TABLE if row.partition("?")[0] not in routes}
    assert not gone, "rows of routes that are no more"
