from django.urls import path

from record import views

app_name = "record"

urlpatterns = [
    path("record/", views.EventList.as_view(), name="event_list"),
    path("record/<int:pk>/", views.event_detail, name="event_detail"),
    path("who-looked/", views.LookerList.as_view(), name="who_looked"),
]
