"""A client that knows nothing but the contract: run with run.sh against a server and an account nobody has used."""

import argparse
import sys

import grpc

import checks
from service import Service

STEPS = [
    checks.members_are_registered,
    checks.leads_are_registered_once,
    checks.a_lead_is_assigned_reassigned_and_left_alone,
    checks.a_repeated_request_id_gets_the_first_answer,
    checks.a_bulk_is_one_revision,
    checks.a_list_in_pages_has_every_lead_once,
    checks.a_list_of_one_owner_has_only_that_owners_leads,
    checks.a_watch_resumes_without_loss_or_repetition,
    checks.an_unknown_lead_is_refused_by_name,
    checks.a_bad_field_is_refused_by_path,
    checks.a_stale_precondition_names_the_present_owner,
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--account", required=True, metavar="ID")
    return parser.parse_args()


def passes(step, service):
    name = step.__name__.replace("_", " ")
    try:
        step(service)
    except AssertionError as failure:
        print(f"FAILED {name}: {failure}", flush=True)
        return False
    except grpc.RpcError as failure:
        print(f"FAILED {name}: {failure.code().name}: {failure.details()}", flush=True)
        return False
    print(f"ok     {name}", flush=True)
    return True


def main():
    options = arguments()
    with grpc.insecure_channel(options.server) as channel:
        service = Service(channel, options.account)
        # Each step starts from where the one before left the account.
        return 0 if all(passes(step, service) for step in STEPS) else 1


if __name__ == "__main__":
    sys.exit(main())
