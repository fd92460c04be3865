from django.dispatch import Signal

connected = Signal()
"""A person connected a service: `sender` User, `user` the person, `service` its type, `gateway` their calls.

Sent in the thread of a request, once the gateway has it; a chat run that waits for the service goes on.
"""
