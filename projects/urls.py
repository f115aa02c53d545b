from django.urls import path

from projects.views import desk, filing, lists, moves, problem, reports, twins

app_name = "projects"

urlpatterns = [
    path("workspace/", filing.workspace, name="workspace"),
    path("desk/", desk.desk, name="desk"),
    path("desk/bulk/", desk.bulk, name="desk_bulk"),
    path("desk/twins/", twins.twins, name="twins"),
    path("desk/twins/<uuid:public_id>/", twins.twins_of, name="twins_of"),
    path("desk/twins/<int:pk>/undo/", twins.twin_undo, name="twin_undo"),
    path("desk/<str:name>/", desk.desk, name="desk_queue"),
    path("bottlenecks/", lists.BottleneckList.as_view(), name="bottleneck_list"),
    path("bottlenecks/shared/", lists.SharedList.as_view(), name="shared_list"),
    path("bottlenecks/published/", lists.PublishedList.as_view(), name="published_list"),
    path("bottlenecks/new/", filing.new, name="bottleneck_new"),
    path("bottlenecks/<uuid:public_id>/", problem.detail, name="bottleneck_detail"),
    path("bottlenecks/<uuid:public_id>/attachments/", problem.attach, name="bottleneck_attach"),
    path("bottlenecks/<uuid:public_id>/autosave/<str:step>/", filing.autosave, name="bottleneck_autosave"),
    path("bottlenecks/<uuid:public_id>/delete/", filing.delete, name="bottleneck_delete"),
    path("bottlenecks/<uuid:public_id>/edit/<str:step>/", filing.edit, name="bottleneck_edit"),
    path("bottlenecks/<uuid:public_id>/follow-ups/<int:months>/", problem.follow_up, name="follow_up"),
    path("bottlenecks/<uuid:public_id>/institutions/", moves.institutions, name="institution_choices"),
    path("bottlenecks/<uuid:public_id>/hand-over/", filing.hand_over, name="bottleneck_hand_over"),
    path("bottlenecks/<uuid:public_id>/refile/", problem.refile, name="bottleneck_refile"),
    path("bottlenecks/<uuid:public_id>/moves/<str:name>/", moves.move, name="bottleneck_move"),
    path("bottlenecks/<uuid:public_id>/segments/", filing.segments, name="bottleneck_segments"),
    path("bottlenecks/<uuid:public_id>/similar/", filing.similar, name="bottleneck_similar"),
    path("bottlenecks/<uuid:public_id>/submitted/", filing.submitted, name="bottleneck_submitted"),
    path("attachments/<uuid:public_id>/", problem.attachment, name="attachment"),
    path("reports/", reports.ReportList.as_view(), name="report_list"),
    path("reports/new/", reports.new, name="report_new"),
    path("reports/<uuid:public_id>/", reports.detail, name="report_detail"),
    path("reports/<uuid:public_id>/replace/", reports.replace, name="report_replace"),
    path("reports/<uuid:public_id>/withdraw/", reports.withdraw, name="report_withdraw"),
    path("projects/", lists.ProjectList.as_view(), name="project_list"),
    path("projects/<str:code>/", lists.project_detail, name="project_detail"),
    path("consortia/", lists.ConsortiumList.as_view(), name="consortium_list"),
    path("consortia/<str:code>/", lists.consortium_detail, name="consortium_detail"),
    path("key-projects/", lists.KeyProjectList.as_view(), name="key_project_list"),
    path("key-projects/<str:code>/", lists.key_project_detail, name="key_project_detail"),
]
