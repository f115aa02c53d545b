from django.urls import path

from accounts.views import colleagues, joining, notices, people, registrations

app_name = "accounts"

urlpatterns = [
    path("join/", joining.join, name="join"),
    path("join/code/check/", joining.code_check, name="join_code_check"),
    path("join/done/", joining.done, name="join_done"),
    path("join/invited/<str:secret>/", colleagues.invited, name="invited"),
    path("join/units/<str:step>/", joining.unit_choices, name="join_units"),
    path("join/<str:step>/", joining.join, name="join_step"),
    path("registrations/", registrations.registration_list, name="registration_list"),
    path("registrations/<int:pk>/", registrations.registration_detail, name="registration_detail"),
    path("registrations/<int:pk>/verify/", registrations.registration_verify, name="registration_verify"),
    path("registrations/<int:pk>/refuse/", registrations.registration_refuse, name="registration_refuse"),
    path("colleagues/", colleagues.colleagues, name="colleagues"),
    path("colleagues/<int:pk>/", colleagues.colleague, name="colleague"),
    path("colleagues/invitations/<int:pk>/", colleagues.invitation, name="invitation"),
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
