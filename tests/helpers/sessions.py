"""Sessions that tests name."""

import bwm_tutorials as bwm

NYU_11 = "56956777-dca5-468c-87cb-78150432cc57"


def of_subject(one, subject: str, day: str = "") -> bwm.Session:
    """The session of a mouse (on a day, as 2001-01-08) in a source."""
    (eid,) = (eid for eid in one.search(subject=subject) if str(one.get_details(eid)["date"]).startswith(day))
    return bwm.Session(eid, one)
