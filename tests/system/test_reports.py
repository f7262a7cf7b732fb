# SPDX-License-Identifier: ISC
"""Reports of what could not be delivered: who gets them and how they look."""
import pathlib
import re

from harness import eventually, maildir


def reports(user, count):
    box = pathlib.Path(user.pw_dir) / "Maildir"
    return eventually(lambda: len(maildir(box)) >= count and maildir(box), 20, f"{count} reports")


def test_a_report_names_its_author_and_no_submitter(instance, mailbox):
    i = instance(local_recipient_maps="")
    i.send("nobodyhere@example.test", sender=mailbox.pw_name + "@example.test")
    head, _, body = reports(mailbox, 1)[0].decode().partition("\n\n")
    assert "\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.test>\n" in head
    assert re.search(r"Received: by mx.example.test \(\w+\)\n\tid ", head) and "userid" not in head
    assert "Status: 5.1.1" in body


def test_a_report_that_cannot_be_delivered_goes_to_the_postmaster_who_asks(instance, mailbox):
    for classes, count in (("resource, software", 0), ("2bounce", 1)):
        i = instance(local_recipient_maps="", notify_classes=classes,
                     alias_maps=f"inline:{{postmaster={mailbox.pw_name}}}")
        i.send("nobodyhere@example.test", sender="gone@example.test")
        i.wait_log(r"to=<gone@example.test>.* status=bounced")
        if count:
            text = reports(mailbox, 1)[0].decode()
            assert text.startswith("Return-Path: <double-bounce@mx.example.test>\n")
            assert "Final-Recipient: rfc822; gone@example.test" in text
            assert "Final-Recipient: rfc822; nobodyhere@example.test" in text
        eventually(lambda: "empty" in i.mailq(), 10, "an empty queue")
        assert len(maildir(pathlib.Path(mailbox.pw_dir) / "Maildir")) == count
