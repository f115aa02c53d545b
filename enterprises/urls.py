from django.urls import path

from enterprises import views

app_name = "enterprises"

urlpatterns = [
    path("organizations/", views.OrganizationList.as_view(), name="organization_list"),
    path("organizations/<str:uscc>/", views.organization_detail, name="organization_detail"),
    path("institutions/", views.InstitutionList.as_view(), name="institution_list"),
]
