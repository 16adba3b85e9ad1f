"""Accounts: workspaces, actors, logins, sessions, API keys, roles and the audit.

The doors for other slices and for `parley.apps`; the REST routes are `parley.accounts.api.routes`.
"""

from parley.accounts.acting import ACTOR_HEADER
from parley.accounts.actors import find_actors, format_actor, get_actor
from parley.accounts.api_keys import create_api_key
from parley.accounts.audit import record_audit
from parley.accounts.authentication import (
    GivenCaller,
    GivenRuntime,
    authenticate,
    authenticate_actor,
    find_callers,
    forget_callers,
    provide_caller,
)
from parley.accounts.caller import STAFF_ROLES, Caller, Role, Scope
from parley.accounts.factors import remove_second_factors
from parley.accounts.lasting_sessions import begin_lasting_session, lasting_token
from parley.accounts.personal import lock_personal, record_personal, record_personal_to_many
from parley.accounts.phone_codes import (
    SEND_CODE_KIND,
    ProvenPhone,
    check_phone_code,
    request_phone_code,
)
from parley.accounts.phone_delivery import CodeDelivery
from parley.accounts.phone_sign_in import PhoneUser, enter_by_phone, is_phone_known
from parley.accounts.schemas import Actor
from parley.accounts.sessions import Client
from parley.accounts.sign_in import reset_password
from parley.accounts.sweeping import sweep_accounts
from parley.accounts.workspaces import Founded, create_workspace, issue_setup_link

__all__ = [
    "ACTOR_HEADER",
    "SEND_CODE_KIND",
    "STAFF_ROLES",
    "Actor",
    "Caller",
    "Client",
    "CodeDelivery",
    "Founded",
    "GivenCaller",
    "GivenRuntime",
    "PhoneUser",
    "ProvenPhone",
    "Role",
    "Scope",
    "authenticate",
    "authenticate_actor",
    "begin_lasting_session",
    "check_phone_code",
    "create_api_key",
    "create_workspace",
    "enter_by_phone",
    "find_actors",
    "find_callers",
    "forget_callers",
    "format_actor",
    "get_actor",
    "is_phone_known",
    "issue_setup_link",
    "lasting_token",
    "lock_personal",
    "provide_caller",
    "record_audit",
    "record_personal",
    "record_personal_to_many",
    "remove_second_factors",
    "request_phone_code",
    "reset_password",
    "sweep_accounts",
]
