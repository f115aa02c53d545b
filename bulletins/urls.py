from django.urls import path

import bulletins.converters  # noqa: F401 (registers what the paths name)
from bulletins.views import comparison, desk, figures, open_data, papers, periods, units, verify

app_name = "bulletins"

urlpatterns = [
    path("bulletins/", papers.BulletinList.as_view(), name="bulletin_list"),
    path("bulletins/new/", papers.bulletin_new, name="bulletin_new"),
    path("bulletins/<uuid:public_id>/", papers.bulletin_detail, name="bulletin_detail"),
    path("bulletins/<uuid:public_id>/progress/", papers.bulletin_progress, name="bulletin_progress"),
    path("bulletins/<uuid:public_id>/pdf/", papers.bulletin_pdf, name="bulletin_pdf"),
    path("bulletins/<uuid:public_id>/issue/", papers.bulletin_issue, name="bulletin_issue"),
    path("bulletins/<uuid:public_id>/replace/", papers.bulletin_replace, name="bulletin_replace"),
    path("bulletins/<uuid:public_id>/withdraw/", papers.bulletin_withdraw, name="bulletin_withdraw"),
    path("bulletins/<uuid:public_id>/retry/", papers.bulletin_retry, name="bulletin_retry"),
    path("bulletins/<uuid:public_id>/edit/", desk.bulletin_edit, name="bulletin_edit"),
    path("bulletins/<uuid:public_id>/edit/<str:key>/", desk.bulletin_block, name="bulletin_block"),
    path("bulletins/<uuid:public_id>/paper/", desk.bulletin_paper, name="bulletin_paper"),
    path("bulletins/<uuid:public_id>/submit/", desk.bulletin_submit, name="bulletin_submit"),
    path("bulletins/<uuid:public_id>/approve/", desk.bulletin_approve, name="bulletin_approve"),
    path("bulletins/<uuid:public_id>/send-back/", desk.bulletin_send_back, name="bulletin_send_back"),
    path("bulletins/<uuid:public_id>/renew/", desk.bulletin_renew, name="bulletin_renew"),
    path("bulletins/<uuid:public_id>/discard/", desk.bulletin_discard, name="bulletin_discard"),
    path("figures/", figures.figures_page, name="figures"),
    path("figures/definitions/", figures.definitions, name="definitions"),
    path("figures/compare/", comparison.compare, name="compare"),
    path(
        "figures/compare/<snapshot:before>/<snapshot:after>/<unit:bureau>/<indicator:code>/",
        comparison.compare_rows,
        name="compare_rows",
    ),
    path(
        "figures/<period:period>/<unit:bureau>/<indicator:code>/",
        figures.FigureRows.as_view(),
        name="figure_rows",
    ),
    path(
        "figures/<period:period>/<unit:bureau>/<indicator:code>/recount/",
        comparison.recount,
        name="figure_recount",
    ),
    path("figures/<period:period>/v<int:version>/<unit:bureau>/", figures.unit_figures, name="unit_figures"),
    path(
        "figures/<period:period>/v<int:version>/<unit:bureau>/<indicator:code>/",
        figures.FigureRows.as_view(),
        name="passport",
    ),
    path(
        "figures/<period:period>/v<int:version>/<unit:bureau>/<indicator:code>/recount/",
        comparison.recount,
        name="passport_recount",
    ),
    path("periods/", periods.period_list, name="period_list"),
    path("periods/<period:code>/", periods.period_detail, name="period_detail"),
    path("periods/<period:code>/progress/", periods.period_progress, name="period_progress"),
    path("periods/<period:code>/rollup/", periods.period_rollup, name="period_rollup"),
    path("periods/<period:code>/freeze/", periods.period_freeze, name="period_freeze"),
    path("periods/<period:code>/publish/", periods.period_publish, name="period_publish"),
    path("periods/<period:code>/collect/", periods.period_collect, name="period_collect"),
    path("periods/<period:code>/<unit:unit>/", units.period_unit, name="period_unit"),
    path("periods/<period:code>/<unit:unit>/submit/", units.unit_submit, name="unit_submit"),
    path("periods/<period:code>/<unit:unit>/approve/", units.unit_approve, name="unit_approve"),
    path("periods/<period:code>/<unit:unit>/return/", units.unit_return, name="unit_return"),
    path("periods/<period:code>/<unit:unit>/excuse/", units.unit_excuse, name="unit_excuse"),
    path("periods/<period:code>/<unit:unit>/lift/", units.unit_lift, name="unit_lift"),
    path("open/", open_data.open_data_page, name="open_data"),
    path("open/<period:period>/<str:kind>/", open_data.open_file, name="open_file"),
    path("verify/", verify.verify_page, name="verify"),
    path("verify/<str:code>/", verify.verify_page, name="verify_code"),
]
