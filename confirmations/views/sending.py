"""The bar of approvals that are about to be sent, and cancelling one or all of them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.converters import is_id
from accounts.requests import SignedInRequest, page_of, signed_in
from confirmations.decisions import Answerer
from confirmations.sending import cancel_each, sending

MOST = 500  # calls that are named in one request


@signed_in
@require_GET
def bar(request: SignedInRequest) -> HttpResponse:
    return render(request, "confirmations/_sending.html", {"sending": sending(request.user, _ids(request.GET, "of"))})


@require_POST
@signed_in
def cancel(request: SignedInRequest) -> HttpResponse:
    """Cancel the one that was pressed, else all that were shown."""
    chosen = _ids(request.POST, "only") or _ids(request.POST, "call")
    cancelled, late = cancel_each(Answerer.of(request), chosen)
    said = _sentence(cancelled, late)
    if request.htmx:
        context = {"sending": sending(request.user, _ids(request.POST, "of")), "said": said}
        return render(request, "confirmations/_sending.html", context)
    messages.add_message(request, messages.WARNING if late else messages.SUCCESS, said)
    page = page_of(request)
    return redirect(reverse("confirmations:queue") if page.startswith(reverse("confirmations:bulk")) else page)


def _ids(form: QueryDict, field: str) -> list[str]:
    """Those that may be ids, each once."""
    return [one for one in dict.fromkeys(form.getlist(field)) if is_id(one)][:MOST]


def _sentence(cancelled: int, late: int) -> str:
    one, several = (
        "%(number)d approval was cancelled and not sent.",
        "%(number)d approvals were cancelled and not sent.",
    )
    done = ngettext(one, several, cancelled)
    missed = ngettext("It was too late for %(number)d.", "It was too late for %(number)d.", late)
    said = [done % {"number": cancelled}] if cancelled or not late else []
    return " ".join([*said, missed % {"number": late}] if late else said)
