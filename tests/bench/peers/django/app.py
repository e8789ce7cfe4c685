"""The stack that Baton's design was first drawn for: Django Channels on uvicorn with uvloop, a SETEX a message."""

import asyncio
import datetime
import json
import os
import urllib.parse
import uuid

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from redis import asyncio as redis  # noqa: E402

SESSION_TTL = 3600
HEARTBEAT_INTERVAL = 30
urlpatterns = []
store = redis.from_url(os.environ["REDIS_URL"])


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        query = urllib.parse.parse_qs(self.scope["query_string"].decode())
        self.key = f"session:{query.get('session_id', [uuid.uuid4()])[0]}:count"
        self.count = int(await store.get(self.key) or 0)
        await self.accept()
        self.beat = asyncio.create_task(self.heartbeat())

    async def receive(self, text_data=None, bytes_data=None):
        self.count += 1
        await store.setex(self.key, SESSION_TTL, self.count)
        await self.send(text_data=json.dumps({"count": self.count}))

    async def disconnect(self, code):
        if hasattr(self, "beat"):
            self.beat.cancel()

    async def heartbeat(self):
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            now = datetime.datetime.now(datetime.timezone.utc).isoformat()
            await self.send(text_data=json.dumps({"type": "heartbeat", "ts": now}))


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("ws/chat/", ChatConsumer.as_asgi())]),
    }
)
