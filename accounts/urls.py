from django.urls import path

from accounts.views import notices, people

app_name = "accounts"

urlpatterns = [
    path("people/", people.PeoplePage.as_view(), name="people"),
    path("people/grants/new/", people.grant_new, name="grant_new"),
    path("people/grants/<int:pk>/end/", people.grant_end, name="grant_end"),
    path("people/substitutes/new/", people.substitute_new, name="substitute_new"),
    path("people/substitutes/<int:pk>/end/", people.substitute_end, name="substitute_end"),
    path("messages/", notices.inbox, name="messages"),
    path("messages/<int:pk>/", notices.message, name="message"),
    path("messages/choices/", notices.choices, name="message_choices"),
    path("messages/stop/<str:token>/", notices.unsubscribe, name="unsubscribe"),
]
