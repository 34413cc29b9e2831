"""Notifications of events that wait for an answer.

notifier       follows the events of a backend
dispatcher     claims, delivers, retries and repeats the notifications of one channel
schedule       when events are due, and when deliveries are retried
notice         what is delivered, and the port to the channels
desktop        notifications of the desktop: texts, summaries
notify_send, notification_library
               show them on Linux, and on macOS and Windows
command        runs a command
webhook, webhook_signature, cloud_event
               sends signed requests
service_files  the files of services that run `notify`
"""
