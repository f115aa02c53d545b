"""The tags of the building blocks."""

import re
from types import SimpleNamespace

import pytest
from django import forms
from django.apps import apps
from django.conf import settings
from django.core.paginator import Paginator
from django.template import Context, Template
from django.test import RequestFactory

from common.templatetags import portal_ui


def render(source, address="/list/", **context):
    request = RequestFactory().get(address)
    return Template("{% load portal_ui %}" + source).render(Context({"request": request, **context}))


class Filters(forms.Form):
    q = forms.CharField(label="关键词", required=False)
    status = forms.MultipleChoiceField(
        label="状态", required=False, choices=[("draft", "草稿"), ("resolved", "已解决")]
    )
    chain = forms.ChoiceField(label="产业链", required=False, choices=[("组", [("7", "动力电池")])])


def test_every_status_of_every_model_has_a_look():
    missing = [
        f"{model.__name__}.{code}"
        for label in ("projects", "bulletins")
        for model in apps.get_app_config(label).get_models()
        for field in model._meta.fields
        if field.name == "status"
        for code, _word in field.choices or ()
        if portal_ui.look_of(code, model._meta.model_name) is portal_ui.UNKNOWN_LOOK
    ]
    assert missing == []


def test_every_shape_is_drawn():
    sprite = (settings.BASE_DIR / "static/img/icons.svg").read_text()
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', sprite))
    looks = [*portal_ui.STATE_LOOK.values(), *portal_ui.STATE_LOOK_OF.values()]
    used = {look.shape for look in looks}
    for template in (settings.BASE_DIR / "templates").rglob("*.html"):
        source = template.read_text()
        used.update(re.findall(r'{% icon "([\w-]+)"', source))
        used.update(re.findall(r'{% nav_link "[^"]*" \w+ "([\w-]+)"', source))
    assert used <= drawn


def test_a_badge_has_colour_shape_and_word():
    html = render('{% state_badge "resolved" "已解决" %}')
    assert "tone-good" in html
    assert "#check" in html
    assert "已解决" in html


@pytest.mark.parametrize(
    ("tag", "words", "width"),
    [
        ('{% clock "green" 3 0.25 label="县局核实" %}', "县局核实，剩 3 个工作日", 'width="12.0"'),
        ('{% clock "red" -2 0.1 label="核验" %}', "核验，已超期 2 个工作日", 'width="48.0"'),
        ('{% clock "amber" 0 4 label="核验" compact=True %}', "今天到期", 'width="48.0"'),
    ],
)
def test_a_clock_has_bar_and_words(tag, words, width):
    html = render(tag)
    assert f'<span class="clock-words">{words}</span>' in html
    assert width in html


def test_a_paused_clock_does_not_run_and_an_ended_one_has_no_bar():
    assert "暂停计时" in render('{% clock "paused" label="等企业确认" %}')
    ended = render('{% clock "none" %}')
    assert "不计时" in ended
    assert "<svg" not in ended


@pytest.mark.parametrize(
    ("address", "tag", "href", "direction"),
    [
        ("/list/", '{% sort_heading "名称" "name" %}', "?sort=name", None),
        ("/list/?sort=name", '{% sort_heading "名称" "name" %}', "?sort=-name", "ascending"),
        ("/list/?sort=-name", '{% sort_heading "名称" "name" %}', "?sort=name", "descending"),
        ("/list/", '{% sort_heading "数量" "n" numeric=True %}', "?sort=-n", None),
        ("/list/", '{% sort_heading "数量" "n" default="-n" %}', "?sort=n", "descending"),
        ("/list/?q=a&page=9", '{% sort_heading "名称" "name" %}', "?q=a&amp;sort=name", None),
    ],
)
def test_sort_headings(address, tag, href, direction):
    html = render(tag, address)
    assert f'href="{href}"' in html
    assert (f'aria-sort="{direction}"' in html) if direction else ("aria-sort" not in html)


def test_chips_name_the_choice_and_lead_to_the_list_without_it():
    request = RequestFactory().get("/list/?status=draft&status=resolved&chain=7&q=&page=3&foreign=1")
    query = portal_ui._query(request)
    assert portal_ui.chips_of(Filters(query), query) == [
        ("状态", "草稿", "?status=resolved&chain=7&foreign=1"),
        ("状态", "已解决", "?status=draft&chain=7&foreign=1"),
        ("产业链", "动力电池", "?status=draft&status=resolved&foreign=1"),
    ]


def test_chips_write_what_was_typed_as_text():
    html = render("{% filter_chips form %}", "/list/?q=<b>x", form=Filters({"q": "<b>x"}))
    assert "&lt;b&gt;x" in html


def test_the_filter_bar_opens_when_a_further_filter_is_in_use():
    closed = render('{% filter_bar form lead="q" %}', "/list/?q=a&sort=-n", form=Filters({"q": "a"}))
    assert "<details" in closed
    assert " open>" not in closed
    assert '<input type="hidden" name="sort" value="-n">' in closed
    assert " open>" in render(
        '{% filter_bar form lead="q" %}', "/list/?chain=7", form=Filters({"chain": "7"})
    )


def test_the_pager_counts_and_numbers():
    html = render("{% pager page %}", "/list/?q=a&page=7", page=Paginator(range(1268), 20).page(7))
    assert "共 1,268 条，第 121–140 条" in html
    assert 'href="?q=a&amp;page=7" aria-current="page"' in html
    assert 'href="?q=a&amp;page=64"' in html
    assert 'rel="prev"' in html


def test_a_single_page_has_a_total_only():
    html = render("{% pager page %}", page=Paginator(range(3), 20).page(1))
    assert "共 3 条" in html
    assert "<ul>" not in html


def test_the_pager_steps_by_cursor():
    page = SimpleNamespace(total=180_000, first=None, last=None, previous_cursor=None, next_cursor="k9")
    html = render("{% pager page %}", "/list/?after=k8&q=a", page=page)
    assert "共 180,000 条" in html
    assert 'href="?q=a&amp;after=k9" rel="next"' in html
    assert 'rel="prev"' not in html


def test_links_to_pages_that_do_not_exist_are_not_drawn():
    assert render('{% nav_link "no-such-page" "空" %}').strip() == ""
    here = render('{% nav_link "login" "登录" "user" 1200 %}', "/login/")
    assert 'aria-current="page"' in here
    assert "1,200" in here


def test_breadcrumbs_end_without_a_link():
    html = render('{% breadcrumbs "首页" "/" "问题" %}')
    assert '<a href="/">首页</a>' in html
    assert '<span aria-current="page">问题</span>' in html


class Filing(forms.Form):
    title = forms.CharField(label="名称", help_text="为什么要问。")
    kind = forms.ChoiceField(label="类别", choices=[("a", "甲")], widget=forms.RadioSelect)
    present = forms.DecimalField(label="现值", required=False)
    agree = forms.BooleanField(label="确认")
    paper = forms.FileField(label="附件", required=False)

    def clean(self):
        raise forms.ValidationError("两处不一致。")


def test_errors_lead_to_their_fields_in_page_order():
    form = Filing({"present": "三"})
    errors = portal_ui.form_errors(form)
    assert [error["id"] for error in errors] == ["", "id_title", "id_kind", "id_present", "id_agree"]
    assert portal_ui.form_errors(Filing()) == portal_ui.form_errors(None) == []


def test_a_field_says_why_it_is_asked_what_is_wrong_and_that_it_is_required():
    html = str(Filing({})["title"].as_field_group())
    assert '<label class="field-label" for="id_title">' in html
    assert 'class="required"' in html
    assert 'aria-describedby="id_title_helptext id_title_error"' in html
    assert 'id="id_title_helptext">为什么要问。' in html
    assert 'id="id_title_error"' in html
    assert 'aria-invalid="true"' in html


def test_fields_are_laid_out_by_kind():
    form = Filing()
    form.fields["present"].suffix = "ppm"
    form.fields["present"].required_to_submit = True
    assert "<legend" in str(form["kind"].as_field_group())
    assert "data-filedrop" in str(form["paper"].as_field_group())
    assert "field-check" in str(form["agree"].as_field_group())
    present = str(form["present"].as_field_group())
    assert '<span class="field-suffix">ppm</span>' in present
    assert 'class="required"' in present
    assert "required id" not in present
