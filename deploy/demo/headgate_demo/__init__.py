"""`make demo`: Headgate and a real HAProxy at work on one machine, without a cluster.

story.py tells it from begin to end; every other file is one thing that it needs.
"""
