from django.urls import path

from accounts.views import notices

app_name = "accounts"

urlpatterns = [
    path("messages/", notices.inbox, name="messages"),
    path("messages/<int:pk>/", notices.message, name="message"),
    path("messages/choices/", notices.choices, name="message_choices"),
    path("messages/stop/<str:token>/", notices.unsubscribe, name="unsubscribe"),
]
