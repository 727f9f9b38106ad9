"""The doctor's lines on how people come in, who they are, and the mail."""

from collections.abc import Iterator

import msgspec

from daehwa.services.people_report import MailReport, PeopleReport


class SignInReport(msgspec.Struct, frozen=True, kw_only=True):
    """How people sign in, and whether the identity provider says what that needs."""

    issuer: str
    client_id: str
    is_secret_set: bool
    round_trip_ms: float
    fault: str | None


def sign_in_lines(sign_in: SignInReport | None, people: PeopleReport) -> Iterator[str]:
    """Yield the lines of both."""
    if sign_in is not None:
        answer = "CANNOT SIGN ANYBODY IN" if sign_in.fault else f"answers as it must, {sign_in.round_trip_ms} ms"
        yield f"  sign-in     {sign_in.issuer}"
        yield f"              client {sign_in.client_id}, secret {'set' if sign_in.is_secret_set else 'none'}; {answer}"
    elif not people.accounts:
        yield "  sign-in     none: whoever reaches the page is its owner"
        if people.people:
            yield f"  people      {people.people:,} with an account here, and nobody is asked to sign in. Where the"
            yield "              server runs with --accounts, set it for the doctor too (DAEHWA_ACCOUNTS=true)"
    if people.accounts:
        yield "  accounts    of this server's own"
        yield f"              passkeys: {people.passkeys_fault or 'can be used'}"
    if people.accounts or sign_in is not None:
        yield f"  people      {_people(people)}"
        if people.is_owner_missed:
            yield "              what `daehwa ask` or a start without accounts has written is in nobody's list;"
            yield "              another start without accounts shows it"
    if people.accounts or people.mail is not None:
        yield f"  mail        {_mail(people.mail)}"


def people_faults(people: PeopleReport) -> Iterator[str]:
    """Yield what keeps people from what the settings promise them."""
    if people.mail is not None and people.mail.fault is not None:
        yield f"mail: {people.mail.fault}"


def _people(report: PeopleReport) -> str:
    if report.people is None or report.admins is None:
        return "cannot be counted: the database file cannot be read as it is"
    admins = f"{report.admins} {'admin' if report.admins == 1 else 'admins'}" if report.admins else "no admin yet"
    if not report.admins and report.accounts:
        admins += ": `daehwa serve` prints a link for the first one"
    return f"{report.people:,} known, {admins}"


def _mail(report: MailReport | None) -> str:
    if report is None:
        return "none: links for new passwords are made by an admin"
    answer = "CANNOT BE USED" if report.fault else f"answers as it must, {report.round_trip_ms} ms"
    return f"{report.address}, from {report.sender}; {answer}"
