"""The only wiring: sources of events, through redaction and the recording, to exchanges, to the views that want them.

Live and from a file it is the same function (`presenting.present`): the timeline of a recording is the timeline of its
run. What is imported at the top of these modules stands between the user's return key and the command's start.
"""
